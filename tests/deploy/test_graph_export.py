import random
from dataclasses import replace

import pytest
import torch
from deployed import describe, export_graph, exportable, make_network
from torch import nn

from nas.cost import measure_costs
from nas.deploy import FORMATS, TOLERANCE, as_bytes, deviations, open_model, program
from nas.errors import InputError, WorkFailed
from nas.networks.branched import sub_network

FAST = ["digits", "own", "tokens"]
# Fifty. The large backbones take a minute each, and differ the least from tree to tree.
NUM_TREES = {"digits": 14, "dense": 14, "own": 14, "tokens": 6, "resnet stages": 4, "resnet blocks": 2, "mobilenet": 2}


def export_and_open(tmp_path, network, tasks, inputs, pixels, format, **how):
    described = describe(network, tasks, inputs, pixels, format, **how)
    given = as_bytes(inputs, pixels) if how.get("takes_pixels") else inputs
    data, described = export_graph(exportable(network, described), given, "samples", described)
    path = tmp_path / f"network.{format}"
    path.write_bytes(data)
    model = open_model(path)
    assert model.description == described
    return model


def check_tree(space, seed, tmp_path):
    """Eager, torch.export and onnxruntime agree, also on a sub-tree; the graph has as many MACs as predicted."""
    rng = random.Random(seed)
    network, backbone, tasks, inputs, pixels = make_network(space, seed)
    kept = rng.sample(tasks, rng.randint(1, len(tasks)))
    part = sub_network(network, kept)
    with torch.no_grad():
        expected = network(inputs)
    for format in ("pt2", "onnx"):
        model = export_and_open(tmp_path, part, kept, inputs, pixels, format)
        assert [task.name for task in model.tasks] == [task.name for task in kept]
        for batch in (slice(None), slice(1)):
            whole = {task.name: expected[task.name][batch] for task in kept}
            found = deviations(model.tasks, whole, model(inputs[batch]), are_answers=False)
            assert all(one.difference <= TOLERANCE * one.scale for one in found.values()), (space, seed, format, found)
    predicted = measure_costs(backbone, tasks, tuple(inputs.shape[1:])).table.tree_cost(part.tree)["macs"]
    assert model.description.verified.macs == predicted, (space, seed)


@pytest.mark.parametrize("space", FAST)
def test_a_random_tree_is_exported_as_it_is(space, tmp_path):
    check_tree(space, 1, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("space", "seed"), [(space, seed) for space, num in NUM_TREES.items() for seed in range(num)])
def test_random_trees_are_exported_as_they_are(space, seed, tmp_path):
    check_tree(space, 100 + seed, tmp_path)


@pytest.mark.parametrize("format", [pytest.param("pt2", marks=pytest.mark.slow), "onnx"])
def test_bytes_in_and_answers_out(format, tmp_path):
    network, _, tasks, inputs, pixels = make_network("own", 0)
    model = export_and_open(tmp_path, network, tasks, inputs, pixels, format, takes_pixels=True, answers=True)
    given = as_bytes(inputs, pixels)
    found = model(given)
    assert all(torch.equal(answer, found[name]) for name, answer in model.answers(given).items()), "made only once"
    with torch.no_grad():
        expected = network(given.float() / 255)
    assert found["semseg"].dtype == torch.int64
    assert (found["semseg"] == expected["semseg"].argmax(1)).float().mean() > 0.999, "but for ties"
    # A sigmoid or a direction of float32 is exact to its last bits but for another order of sums in the network.
    torch.testing.assert_close(found["sal"], expected["sal"].sigmoid(), rtol=0, atol=1e-4)
    torch.testing.assert_close(found["normals"].norm(dim=1), torch.ones_like(found["sal"][:, 0]), rtol=0, atol=1e-5)
    with pytest.raises(InputError, match=r"takes torch.uint8 of shape \[batch, 3, 32, 40\]"):
        model(inputs)


def test_a_size_that_a_network_allows_is_free_and_one_that_it_does_not_is_not(tmp_path):
    network, _, tasks, inputs, pixels = make_network("own", 0)
    model = export_and_open(tmp_path, network, tasks, inputs, pixels, "pt2")
    assert model.input.dynamic_size
    other = torch.rand(1, 3, 45, 27, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        # The graph is the same operators on the same machine.
        torch.testing.assert_close(dict(model(other)), network(other), rtol=1e-5, atol=1e-5)

    class FixedHead(torch.nn.Module):
        def __init__(self, head):
            super().__init__()
            self.head = head
            self.register_buffer("mask", torch.rand(32, 40))

        def forward(self, features, size):
            return self.head(features, size) * self.mask

    network.heads["sal"] = FixedHead(network.heads["sal"]).eval()
    model = export_and_open(tmp_path, network, tasks, inputs, pixels, "pt2")
    assert not model.input.dynamic_size
    assert model(inputs)["sal"].shape == (4, 1, 32, 40)
    with pytest.raises(InputError, match=r"takes torch.float32 of shape \[batch, 3, 32, 40\]; found"):
        model(other)


def test_macs_that_only_a_given_up_attempt_cannot_count_are_not_called_uncounted(tmp_path, monkeypatch, caplog):
    """The digits' network runs at its own size alone; with free sizes, MACs are unknown."""
    from nas.deploy.formats import onnx

    def count(model, shape):
        if any(dim.dim_param for dim in model.graph.input[0].type.tensor_type.shape.dim[1:]):
            raise InputError("the size of x is only known when the ONNX model runs")
        return {"conv": 7}

    monkeypatch.setattr(onnx, "count_macs", count)
    network, _, tasks, inputs, pixels = make_network("digits", 0)
    model = export_and_open(tmp_path, network, tasks, inputs, pixels, "onnx")
    assert model.description.verified.macs == 7
    assert "height and width are fixed" in caplog.text
    assert "MACs" not in caplog.text


def test_a_network_whose_code_cannot_be_traced_is_named():
    network, _, tasks, inputs, pixels = make_network("own", 0)

    class Branching(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    described = describe(network, tasks, inputs, pixels, "pt2")
    network.stem = torch.nn.Sequential(network.stem, Branching())
    with pytest.raises(InputError, match="cannot be exported"):
        export_graph(exportable(network, described), inputs, "samples", described)


def test_other_outputs_than_the_networks_are_never_kept(monkeypatch):
    network, _, tasks, inputs, pixels = make_network("own", 0)
    described = describe(network, tasks, inputs, pixels, "pt2")

    def load_worse(data, where):
        run, description = program.load_program(data, where)
        return lambda batch: [1.001 * output for output in run(batch)], description

    monkeypatch.setitem(FORMATS, "pt2", replace(FORMATS["pt2"], from_bytes=load_worse))
    with pytest.raises(WorkFailed, match="differs by"):
        export_graph(exportable(network, described), inputs, "samples", described)


class Counting(nn.Module):
    """Asks for the number of samples as a Python number."""

    def forward(self, images):
        return images.reshape(len(images), -1)


def test_a_network_that_fixes_the_size_of_the_batch_is_refused_in_a_sentence():
    with pytest.raises(InputError, match=r"size of the batch into a Python number, by len\(x\)"):
        program.trace(Counting(), torch.zeros(2, 1, 4, 4), dynamic_size=False)
