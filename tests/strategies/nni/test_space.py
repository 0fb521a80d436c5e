"""Trees as choices, and in NNI's language: each tree once, every sample a tree, budgets kept."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_strategies import NAMES, tables, trees

from nas.discretize import Constraints, cheapest_tree, keeps_constraints
from nas.strategies import Goal
from nas.strategies.nni.encoding import Encoding
from nas.strategies.nni.fitting import fit
from nas.tree import BranchTree, CostTable, count_trees, enumerate_trees

nni_space = pytest.importorskip("nas.strategies.nni.space", reason="NNI is not installed")


@pytest.mark.parametrize(("num_tasks", "num_blocks", "count"), [(3, 5, 51), (3, 9, 145), (4, 3, 154), (5, 5, 7556)])
def test_the_space_has_each_tree_once(num_tasks, num_blocks, count):
    names = NAMES[:num_tasks]
    found = list(nni_space.TreeSpace(Encoding(names, num_blocks)).grid())
    assert len(found) == count == count_trees(num_tasks, num_blocks)
    assert set(found) == set(enumerate_trees(names, num_blocks))


def test_a_sample_is_allowed_if_it_is_the_canonical_one_of_its_tree():
    encoding = Encoding(NAMES[:5], 5)
    space = nni_space.TreeSpace(encoding)
    rng = np.random.default_rng(0)
    allowed = []
    for _ in range(300):
        sample = {label: values[rng.integers(len(values))] for label, values in encoding.choices.items()}
        allowed.append(space.contains(sample))
        assert allowed[-1] == (sample == encoding.sample(encoding.tree(sample)))
    # 7,556 of 31,104 samples are canonical, with a standard deviation of 0.025.
    assert np.mean(allowed) == pytest.approx(7556 / 31104, abs=0.1)


@given(trees())
def test_a_tree_is_its_sample_and_back(tree):
    encoding = Encoding(tree.tasks, len(tree.partitions))
    sample = encoding.sample(tree)
    assert encoding.tree(sample) == tree
    assert all(sample[label] in values for label, values in encoding.choices.items())
    assert sample.keys() == encoding.choices.keys()


@settings(max_examples=50)
@given(st.data())
def test_every_sample_is_a_tree_and_moves_one_task_by_one_choice(data):
    num_blocks = data.draw(st.integers(1, 4))
    encoding = Encoding(NAMES[: data.draw(st.integers(2, 5))], num_blocks)
    sample = {label: data.draw(st.sampled_from(values)) for label, values in encoding.choices.items()}
    tree = encoding.tree(sample)
    assert tree.tasks == encoding.tasks
    last = encoding.tasks[-1]
    other = encoding.tree({**sample, f"{last}: blocks": data.draw(st.integers(0, num_blocks))})
    assert other.restricted_to(encoding.tasks[:-1]) == tree.restricted_to(encoding.tasks[:-1])


@given(st.data())
def test_a_budget_is_a_constraint_of_the_space(data):
    encoding = Encoding(NAMES[:3], 2)
    table = data.draw(tables(encoding.tasks, 2))
    costs = {tree: table.tree_cost(tree)["params"] for tree in enumerate_trees(encoding.tasks, 2)}
    limit = data.draw(st.sampled_from(sorted(costs.values())))
    space = nni_space.TreeSpace(encoding, nni_space.WithinLimit(encoding, table, "params", limit))
    assert set(space.grid()) == {tree for tree, cost in costs.items() if cost <= limit}
    for tree, cost in costs.items():
        if cost > limit:
            with pytest.raises(ValueError, match="more than its budget"):
                space.freeze(encoding.sample(tree))


def test_two_samples_of_one_tree_are_one_model():
    encoding = Encoding(("a", "b", "c"), 2)
    models = nni_space.TreeModels(nni_space.TreeSpace(encoding), lambda tree: tree)
    samples = [{"b: blocks": 2, "c: with": partner, "c: blocks": 1} for partner in ("a", "b")]
    one, other = (models.freeze(sample) for sample in samples)
    assert one.tree == other.tree
    assert one.sample == other.sample == samples[0]
    with pytest.raises(ValueError, match="is the tree of"):
        models.space.freeze(samples[1])
    assert not models.contains({**samples[0], "c: blocks": 3})
    assert not models.contains({"b: blocks": 2})
    assert models.simplify().keys() == encoding.choices.keys()


class Stated:
    """What `fit` reads of a problem."""

    def __init__(self, names, table, goal):
        self.task_names, self.table, self.goal = names, table, goal


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_fitted_tree_keeps_budget_and_constraints_and_a_tree_that_keeps_them_stays(data):
    names = NAMES[:4]
    tree = data.draw(trees(names, 3))
    table = data.draw(tables(names, 3, st.integers(1, 100)))
    constraints = data.draw(
        st.sampled_from([{}, {"apart": [names[:2]]}, {"together": [names[1:3]]}, {"shared_prefix": 2}])
    )
    goal = Goal(constraints=Constraints(**constraints))
    cheapest = table.tree_cost(cheapest_tree(names, table, "macs", goal.constraints))["macs"]
    limit = data.draw(st.sampled_from([cheapest, 0.5 * (cheapest + table.separate_cost()["macs"])]))
    fitted = fit(tree, Stated(names, table, goal), max(limit, cheapest))
    assert table.tree_cost(fitted)["macs"] <= max(limit, cheapest)
    assert keeps_constraints(fitted, goal.constraints, table, "macs")
    if table.tree_cost(tree)["macs"] <= limit and keeps_constraints(tree, goal.constraints, table, "macs"):
        assert fitted == tree


def test_splits_move_as_little_as_the_budget_needs():
    names = ("a", "b", "c")
    tree = BranchTree.from_choices(names, [[0, 0, 1], [0, 1, 2], [0, 1, 2]])
    block, nothing = {"macs": 1}, {"macs": 0}
    table = CostTable(nothing, (block,) * 3, dict.fromkeys(names, nothing), ("x", "y", "z"))
    assert fit(tree, Stated(names, table, Goal()), 8) == tree
    assert fit(tree, Stated(names, table, Goal()), 7).num_groups == (1, 2, 3)
    assert fit(tree, Stated(names, table, Goal()), 5).num_groups == (1, 1, 2)
    assert fit(tree, Stated(names, table, Goal()), 3).num_groups == (1, 1, 1)
