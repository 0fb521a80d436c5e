"""The prefixes of a backbone in onnxruntime, and latency tables of it."""

import json

import pytest
import torch
from deployed import INK, LEFT, RESTORE
from torch import nn

import nas
from nas.cost import LatencyTable
from nas.datasets.digits import DigitPairs
from nas.deploy.onnx_latency import onnxruntime_prefixes
from nas.deploy.runtimes import find_runtimes
from nas.errors import InputError
from search_spaces import DigitsBackbone


class WithIdentity(DigitsBackbone):
    """Its last block returns its input, so two prefixes end at one value."""

    def make_block(self, l):
        return nn.Identity() if l == 1 else super().make_block(l)


@pytest.mark.parametrize("kind", [DigitsBackbone, WithIdentity])
def test_the_graph_of_a_prefix_gives_the_output_of_its_part(kind):
    backbone, tasks, shape = kind(widths=(4, 4), strided=()), (LEFT, RESTORE), (1, 12, 20)
    found = onnxruntime_prefixes(backbone, tasks, shape, batch_size=3)
    with torch.random.fork_rng(devices=()), torch.no_grad():
        # The same inputs and weights.
        torch.manual_seed(0)
        inputs = torch.randn(3, *shape)
        parts = [backbone.make_stem(), *(backbone.make_block(l) for l in range(2))]
        heads = [backbone.make_head(task) for task in tasks]
        expected = [inputs]
        for part in parts:
            expected.append(part.eval()(expected[-1]))
        tapped = tuple(expected[2 + l] for l in backbone.taps)
        expected += [head.eval()(tapped, inputs.shape[2:]) for head in heads]
    for call, output in zip(found.calls, expected[1:], strict=True):
        (array,) = call()
        # Another order of float32 sums.
        torch.testing.assert_close(torch.from_numpy(array), output, rtol=1e-4, atol=1e-5)
    assert (found.runtime, found.device, found.batch_size) == ("onnxruntime", "cpu", 3)


def test_a_profile_writes_the_table_of_its_first_runtime(tmp_path):
    experiment = nas.Experiment(
        tasks=(LEFT, INK),
        backbone=nas.lazy(DigitsBackbone, widths=(4, 6), strided=(1,)),
        data=nas.lazy(DigitPairs),
        input_shape=(1, 12, 20),
        num_threads=1,
    )
    report = nas.profile(
        experiment, latency=tmp_path / "table.json", runtimes=("onnxruntime", "eager", "onnxruntime"), rounds=3
    ).latency.to_dict()
    table = LatencyTable.read(tmp_path / "table.json")
    assert table.description == report["table"] == "onnxruntime on cpu, 1 thread, batches of 1"
    assert len(table.blocks) == 2
    assert set(table.heads) == {"left", "ink"}
    for part in (table.stem, *table.blocks, *table.heads.values()):
        assert 0 <= part.low <= part.median <= part.high
    assert table.stem.median > 0
    errors = []
    for network in report["networks"].values():
        assert set(network["runtimes"]) == {"onnxruntime", "eager"}
        measured = network["runtimes"]["onnxruntime"]["median"]
        errors.append(network["parts_error"])
        assert errors[-1] == pytest.approx(100 * (network["parts_ms"] - measured) / measured)
    assert report["parts_error"] == pytest.approx(sum(map(abs, errors)) / len(errors))
    json.dumps(report, allow_nan=False)


def test_runtimes_are_named_once_each_and_known():
    assert find_runtimes(["onnxruntime", "eager", "onnxruntime"]) == ("onnxruntime", "eager")
    with pytest.raises(InputError, match=r"no runtimes \['tensorrt'\]; choose among eager, compiled, onnxruntime"):
        find_runtimes(["eager", "tensorrt"])
    with pytest.raises(InputError, match="choose among"):
        find_runtimes([])
