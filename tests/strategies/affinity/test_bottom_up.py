"""The bottom-up strategy: averaged weights, features of merged groups, falling costs, and what it records."""

import json

import pytest
import torch
from affinity_toys import BUDGETS, TABLE, TASKS, TWINS, TwinData, facts, toy_problem
from toys import VectorBackbone, assert_same, names, toy_batch

from nas.errors import InputError
from nas.strategies import Goal
from nas.strategies.affinity import BottomUp
from nas.strategies.affinity.merging import Merge
from nas.strategies.affinity.merging_record import MergingRecord
from nas.strategies.affinity.merging_state import average_candidates, spread_candidates
from nas.strategies.affinity.merging_training import MergingTraining
from nas.strategies.similarity.copies import routing_of

QUICK = BottomUp(epochs=4, warmup=1, batch_size=16, num_rows=64)
WIDE = Goal(budgets=(0.95,))


def test_all_tasks_start_with_the_same_blocks(tmp_path):
    state = MergingTraining(toy_problem(tmp_path), QUICK).start()
    for instances in state.networks.blocks:
        assert_same([dict(each.state_dict()) for each in instances], [dict(instances[0].state_dict())] * 3)


def test_a_merged_block_has_the_mean_of_the_weights_by_numbers_of_tasks(tmp_path):
    state = MergingTraining(toy_problem(tmp_path), QUICK).start()
    instances = state.networks.blocks[0]
    for c, each in enumerate(instances):
        with torch.no_grad():
            for tensor in (*each.parameters(), *each.buffers()):
                tensor.fill_(3 * c)
    average_candidates(state.networks, Merge(0, ("t1",), ("t0", "t2")))
    # (3 + 2 * 0) / 3 = 1, in the candidate of the first task.
    floating = [tensor for tensor in instances[0].state_dict().values() if tensor.is_floating_point()]
    for tensor in floating:
        torch.testing.assert_close(tensor, torch.ones_like(tensor))
    assert all((tensor == 3).all() for tensor in instances[1].state_dict().values())


def test_groups_run_the_block_of_their_first_task_and_their_features_are_compared(tmp_path):
    training = MergingTraining(toy_problem(tmp_path), QUICK)
    state, inputs = training.start(), toy_batch(TASKS).inputs
    for c, each in enumerate(state.networks.blocks[0]):
        with torch.no_grad():
            each[0].weight.add_(0.1 * c)
    state.tree = Merge(0, ("t0",), ("t2",)).of(state.tree)
    state.networks.eval()
    alone = state.networks(inputs, routing_of(state.networks))
    together = state.run(inputs)
    assert torch.equal(together["t1"], alone["t1"])
    assert not torch.equal(together["t2"], alone["t2"])
    spread_candidates(state.networks, state.tree)
    assert_same(state.networks(inputs, routing_of(state.networks)), together)


def test_merges_average_blocks_and_compare_the_features_of_groups(tmp_path):
    problem = toy_problem(tmp_path, Goal(budgets=(0.5,)))
    training = MergingTraining(problem, BottomUp(epochs=1, warmup=0, batch_size=16, num_rows=64))
    state = training.start()
    for instances in state.networks.blocks:
        for c, each in enumerate(instances):
            with torch.no_grad():
                each[0].weight.copy_(torch.randn(each[0].weight.shape, generator=torch.Generator().manual_seed(c)))
    mean = torch.stack([each[0].weight for each in state.networks.blocks[0]]).mean(0)
    # All tasks share all blocks within this budget.
    assert len(training.merge(state, 0)) == 4
    assert state.tree.num_groups == (1, 1)
    torch.testing.assert_close(state.networks.blocks[0][0][0].weight, mean)
    assert abs(training.unlikeness(state)).max() < 1e-6
    assert not torch.equal(mean, training.start().networks.blocks[0][0][0].weight)


def test_the_cost_falls_linearly_after_the_warm_up_to_the_smallest_budget(tmp_path):
    problem = toy_problem(tmp_path, backbone=VectorBackbone(4))
    found = BottomUp(epochs=6, warmup=2, batch_size=16, num_rows=64).search(problem)
    record = MergingRecord.read(problem.store, names(TASKS))
    table, trees, place = problem.table, record.trees(), 0
    costs = [table.tree_cost(tree)["macs"] for tree in trees]
    smallest = 0.6 * table.separate_cost()["macs"]
    for epoch, epoch_record in enumerate(found.history):
        place += len(epoch_record["merges"])
        share = max(0.0, (epoch - 1) / 4)
        limit = costs[0] + share * (smallest - costs[0])
        assert costs[place] <= limit + 1e-9
        # No merge is made that the limit does not ask for.
        if epoch_record["merges"]:
            assert costs[place - 1] > limit
    assert place == len(trees) - 1
    assert sum(len(each["merges"]) for each in found.history[:2]) == 0
    spent = [costs[sum(len(each["merges"]) for each in found.history[: e + 1])] for e in range(6)]
    assert record.cost == pytest.approx(sum(spent) / (0.85 * table.separate_cost()["macs"]) / 10)


def test_the_value_is_minus_what_was_merged_and_more_budget_is_no_worse(tmp_path):
    problem = toy_problem(tmp_path, Goal(budgets=(0.5, 0.7, 0.95)))
    found = QUICK.search(problem)
    record = MergingRecord.read(problem.store, names(TASKS))
    values = dict(zip(record.trees(), record.values(), strict=True))
    assert [tree.value for tree in found.trees] == [values[tree.tree] for tree in found.trees]
    assert found.trees[0].value <= found.trees[1].value <= found.trees[2].value <= 0.0
    assert found.trees[0].value == min(values.values()) == -sum(step.unlike for step in record.merges)


def test_equal_tasks_merge_without_dissimilarity(tmp_path):
    problem = toy_problem(tmp_path, Goal(budgets=(0.6,)), tasks=TWINS, data=TwinData())
    # Before any training the networks are equal.
    BottomUp(epochs=1, warmup=0, batch_size=16, num_rows=64).search(problem)
    record = MergingRecord.read(problem.store, ("a", "b"))
    assert record.merges
    assert [step.unlike for step in record.merges] == pytest.approx([0.0] * len(record.merges), abs=1e-6)


def test_separate_networks_within_the_budget_are_not_merged(tmp_path):
    found = QUICK.search(toy_problem(tmp_path, Goal(budgets=(1.0,))))
    assert found.trees[0].tree.num_groups == (3, 3)
    assert found.trees[0].value == 0.0


def test_smaller_budgets_and_other_constraints_need_another_search(tmp_path):
    problem = toy_problem(tmp_path, WIDE)
    QUICK.search(problem)
    for goal in (Goal(budgets=(0.5,)), Goal(budgets=(0.95,), constraints={"together": [list(names(TASKS))]})):
        with pytest.raises(
            InputError, match=r"budget 0\.\d+: the search merged no further than a cost of .*search again"
        ):
            QUICK.cut(type(problem)(**{**vars(problem), "goal": goal}))


def test_a_checkpoint_of_other_tasks_or_a_malformed_record_is_refused(tmp_path):
    problem = toy_problem(tmp_path)
    QUICK.search(problem)
    other = type(problem)(**{**vars(problem), "tasks": TASKS[::-1]})
    with pytest.raises(InputError, match=r"not a checkpoint of this merging search .*its tasks are"):
        QUICK.search(other)
    path = tmp_path / "merging.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "merges": [{"block": 9}]}))
    with pytest.raises(InputError, match=r"merging\.json"):
        QUICK.cut(problem)


def test_tasks_without_labels_in_a_batch_keep_their_blocks(tmp_path):
    training = MergingTraining(toy_problem(tmp_path), QUICK)
    state = training.start()
    before = [each[0].weight.clone() for each in state.networks.blocks[0]]
    state.networks.train()
    losses = training.step(state, toy_batch(TASKS, without=("t1",)))
    assert losses.keys() == {"t0", "t2"}
    changed = [not torch.equal(a, b[0].weight) for a, b in zip(before, state.networks.blocks[0], strict=True)]
    assert changed == [True, False, True]
    assert training.step(state, toy_batch(TASKS, without=names(TASKS))) == {}


def test_results_do_not_depend_on_the_order_of_the_budgets(tmp_path):
    budgets = BUDGETS.budgets
    one, other = (
        QUICK.search(toy_problem(tmp_path / str(i), Goal(budgets=each)))
        for i, each in enumerate((budgets, budgets[::-1]))
    )
    assert facts(one)[0] == facts(other)[0][::-1]
    assert TABLE.tree_cost(one.trees[0].tree)["macs"] <= 0.6 * TABLE.separate_cost()["macs"]
