"""One tiny network as a bundle, a .pt2 and an .onnx, for the tests of what is done with files."""

import pytest
from deployed import describe, export_graph, exportable, make_network
from small_digits import RECIPE, changes

from nas.cli.main import run
from nas.datasets.digits import digit_tasks
from nas.deploy import model_card, write_bundle
from nas.tree import BranchTree, write_tree


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """The network, its samples, and a folder with ``network.bundle``, ``network.pt2`` and ``network.onnx``.

    Its backbone is one of `search_spaces`; nothing of it is trained.
    """
    network, backbone, tasks, inputs, pixels = make_network("dense", 3)
    folder = tmp_path_factory.mktemp("exported")
    for format in ("pt2", "onnx"):
        described = describe(network, tasks, inputs, pixels, format)
        data, _ = export_graph(exportable(network, described), inputs, "samples", described)
        (folder / f"network.{format}").write_bytes(data)
    described = describe(network, tasks, inputs, pixels, "bundle")
    card = model_card(described, "A network", picture=None, loads=True)
    write_bundle(folder / "network.bundle", network, backbone, described, card)
    return network, inputs, folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a retraining of a small network of the digits, its own for each test module."""
    folder = tmp_path_factory.mktemp("digits")
    write_tree(BranchTree.shared([task.name for task in digit_tasks()], 2), folder / "tree.json")
    small = changes(backbone__widths=[4, 6], backbone__strided=[1])
    arguments = ["retrain", RECIPE, "--tree", str(folder / "tree.json"), "--out", str(folder / "run"), *small]
    assert run(arguments) == 0
    return folder / "run"
