"""Latencies of parts from those of prefixes, on made-up timings."""

import json
import time
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from toys import IN_FEATURES, VectorBackbone, toy_tasks

from nas.cost import LatencyTable, Prefixes, time_calls, torch_prefixes
from nas.cost.prefixes import fit_parts
from nas.errors import InputError
from nas.tree import BranchTree, CostTable

CPU = torch.device("cpu")
MS = st.floats(0.01, 100.0)


def prefixes(calls, tasks, **fields):
    record = {"runtime": "onnxruntime", "device": "cpu", "num_threads": 2, "batch_size": 3, "input_shape": (3, 8, 8)}
    return Prefixes(calls=calls, tasks=tasks, **{**record, **fields})


@given(stem=MS, blocks=st.lists(MS, min_size=1, max_size=20), heads=st.lists(MS, min_size=1, max_size=6))
def test_parts_are_found_again_from_their_prefixes(stem, blocks, heads):
    until = np.cumsum([stem, *blocks])
    found = fit_parts([*until, *(until[-1] + head for head in heads)], len(blocks))
    # Differences of sums of up to 21 numbers, in double precision.
    np.testing.assert_allclose(found, [stem, *blocks, *heads], atol=1e-8 * until[-1])


@given(st.lists(MS, min_size=3, max_size=20))
def test_no_part_costs_less_than_nothing(milliseconds):
    assert (fit_parts(milliseconds, num_blocks=1) >= 0).all()


def test_a_prefix_that_is_faster_than_the_one_before_it_makes_a_part_cost_nothing():
    """The stem takes 2 ms and the stem with the block 1 ms: (s/2 - 1)^2 + (s - 1)^2 is least at s = 1.2."""
    found = fit_parts([2.0, 1.0, 3.2], num_blocks=1)
    np.testing.assert_allclose(found, [1.2, 0.0, 2.0], atol=1e-9)


def test_the_sum_over_a_network_is_what_its_prefixes_say():
    """Stem 1, blocks 2 and 3, heads .5 and 4 ms; the second round is twice as slow."""
    rounds = np.array([[1, 3, 6, 6.5, 10]]).T * [1, 2, 1]
    table = prefixes([None] * 5, ("depth", "edge")).table(rounds.tolist())
    assert table.description == "onnxruntime on cpu, 2 threads, batches of 3"
    assert [part.median for part in (table.stem, *table.blocks)] == pytest.approx([1, 2, 3])
    assert {task: head.median for task, head in table.heads.items()} == pytest.approx({"depth": 0.5, "edge": 4})
    # Deciles of 1, 1 and 2.
    assert (table.stem.low, table.stem.high) == pytest.approx((1.0, 1.8))
    free = {"macs": 0}
    costs = table.added_to(CostTable(free, (free, free), {"depth": free, "edge": free}, ("a", "b")))
    assert costs.single_task_cost("edge")["ms"] == pytest.approx(10)
    tree = BranchTree.from_choices(["depth", "edge"], [[0, 0], [0, 1]])
    assert costs.tree_cost(tree)["ms"] == pytest.approx(1 + 2 + 2 * 3 + 0.5 + 4)


class Counting(VectorBackbone):
    """Counts how often each of its parts runs."""

    def counted(self, name, part):
        part.register_forward_hook(lambda *_: self.calls.update([name]))
        return part

    def make_stem(self):
        return self.counted("stem", super().make_stem())

    def make_block(self, l):
        return self.counted(f"block {l}", super().make_block(l))

    def make_head(self, task):
        return self.counted(f"head {task.name}", super().make_head(task))


def test_a_prefix_runs_the_parts_before_it():
    backbone, tasks = Counting(3), toy_tasks(2)
    # The backbone is a frozen dataclass.
    object.__setattr__(backbone, "calls", Counter())
    found = torch_prefixes(backbone, tasks, (IN_FEATURES,), device=CPU, batch_size=2)
    blocks = ["block 0", "block 1", "block 2"]
    expected = [["stem", *blocks[:l]] for l in range(4)] + [["stem", *blocks, f"head {task.name}"] for task in tasks]
    for call, parts in zip(found.calls, expected, strict=True):
        call()  # which also tries whether a part writes to its input
        backbone.calls.clear()
        call()
        assert backbone.calls == Counter(parts)
    assert (found.runtime, found.batch_size, found.tasks) == ("eager", 2, ("t0", "t1"))
    assert found.calls[-1]().shape == (2, 2)


def test_a_table_without_a_runtime_is_eager_and_one_of_an_unknown_runtime_is_refused(tmp_path):
    path = tmp_path / "table.json"
    prefixes([None] * 3, ("edge",)).table([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]).write(path)
    record = json.loads(path.read_text())
    assert LatencyTable.read(path).runtime == record["runtime"] == "onnxruntime"
    del record["runtime"]
    path.write_text(json.dumps(record))
    assert LatencyTable.read(path).description == "eager on cpu, 2 threads, batches of 3"
    path.write_text(json.dumps({**record, "runtime": "tensorrt"}))
    with pytest.raises(InputError, match=r"table\.json: not a latency table .*runtime"):
        LatencyTable.read(path)


@pytest.mark.parametrize(("num_threads", "least", "most"), [(1, 0.0, 5.0), (2, 20.0, float("inf"))])
def test_one_thread_is_timed_by_what_it_computes(num_threads, least, most):
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        timing = time_calls({"sleep": lambda: time.sleep(0.02)}, device=CPU, rounds=2)["sleep"]
    finally:
        torch.set_num_threads(before)
    assert least <= timing.median <= most


def test_heads_are_those_of_a_network():
    """A task that states a center has it in its head, too."""
    outputs = [
        torch_prefixes(VectorBackbone(1), [task], (IN_FEATURES,), device=CPU).calls[-1]()
        for task in (*toy_tasks(1), *toy_tasks(1, center=7.0))
    ]
    # One addition of float32 to numbers near 1.
    torch.testing.assert_close(outputs[1], outputs[0] + 7.0, rtol=0, atol=1e-5)


class AddsOne(nn.Module):
    def __init__(self, block, in_place):
        super().__init__()
        self.block, self.in_place = block, in_place

    def forward(self, features):
        return self.block(features.add_(1) if self.in_place else features + 1)


def test_a_part_that_writes_to_its_input_does_not_change_what_others_read():
    """The head reads block 0, whose output block 1 changes."""

    def output(in_place):
        class Backbone(VectorBackbone):
            def make_block(self, l):
                return AddsOne(super().make_block(l), in_place)

        found = torch_prefixes(Backbone(2), toy_tasks(1), (IN_FEATURES,), device=CPU)
        with torch.inference_mode():
            return found.calls[-1]()

    torch.testing.assert_close(output(True), output(False), rtol=0, atol=0)
