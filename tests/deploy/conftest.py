"""One tiny network as a bundle, a .pt2 and an .onnx, for the tests of what is done with files."""

import pytest
from deployed import describe, exportable, make_network

from nas.deploy import export_graph, model_card, write_bundle


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
