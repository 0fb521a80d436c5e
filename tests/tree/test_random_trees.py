from collections import Counter
from math import comb, factorial

import numpy as np
import pytest
from all_trees import enumerate_trees
from hypothesis import given, settings
from hypothesis import strategies as st
from tree_strategies import NAMES, tables

from nas.errors import InputError
from nas.tree import BranchTree, CostTable, random_tree, random_tree_shape, random_trees

TASKS = NAMES[:4]


def even_table(num_blocks, tasks=TASKS, cost=1):
    part = {"macs": cost, "params": 2 * cost}
    names = tuple(f"stage{l}" for l in range(num_blocks))
    return CostTable(part, (part,) * num_blocks, dict.fromkeys(tasks, part), names)


def all_costs(table, num_blocks, tasks=TASKS):
    return np.array([table.tree_cost(tree)["macs"] for tree in enumerate_trees(tasks, num_blocks)])


@settings(deadline=None)
@given(st.data(), st.floats(0, 1.2), st.sampled_from([0.0, 0.02, 0.3]), st.integers(0, 2**32))
def test_the_cost_is_in_the_window_or_the_nearest_below(data, share, tolerance, seed):
    amounts = data.draw(st.sampled_from([st.integers(0, 100), st.integers(0, 10**12), st.floats(0, 1e3)]))
    table = data.draw(tables(TASKS, 3, amounts))
    costs = all_costs(table, 3)
    target = max(float(costs.min() + share * (costs.max() - costs.min())), float(costs.min()))
    tree = random_tree(TASKS, table, target, tolerance=tolerance, rng=np.random.default_rng(seed))
    highest = costs[costs <= target].max()
    assert min((1 - tolerance) * target, highest) <= tree.cost["macs"] <= target
    assert tree.cost == table.tree_cost(tree)
    assert tree.blocks == table.block_names
    assert tree.tasks == TASKS


@given(st.data(), st.integers(0, 2**32))
def test_the_cost_of_a_tree_is_a_target_that_is_met_exactly(data, seed):
    table = data.draw(tables(TASKS, 3, st.floats(0, 1e3)))
    rng = np.random.default_rng(seed)
    target = table.tree_cost(random_tree_shape(TASKS, 3, rng))["params"]
    tree = random_tree(TASKS, table, target, resource="params", tolerance=0, rng=rng)
    assert tree.cost["params"] == target


def test_every_tree_in_the_window_is_drawn_and_no_other():
    rng = np.random.default_rng(0)
    table = even_table(2)
    window = {tree for tree in enumerate_trees(TASKS, 2) if 9 <= table.tree_cost(tree)["macs"] <= 10}
    # The rarest tree has a probability of 1/39 (6 of the window's 13 position vectors, 1 of 18 histories), so 800
    # draws miss it with a probability of e^-20.
    drawn = {random_tree(TASKS, table, 10, tolerance=0.1, rng=rng) for _ in range(800)}
    assert drawn == window


def exact_distribution(num_blocks):
    """Probability of every tree under uniform split positions and Kingman's coalescent, from its definition."""
    total = Counter()
    num_histories = factorial(4) * factorial(3) // 2**3

    def meet(groups, partitions, positions, weight):
        if not positions:
            total[BranchTree(TASKS, fill(groups, partitions))] += weight
            return
        for i in range(len(groups)):
            for j in range(i + 1, len(groups)):
                met = [*groups[:i], *groups[i + 1 : j], *groups[j + 1 :], groups[i] + groups[j]]
                at = {**partitions, **{l: groups for l in range(positions[0], num_blocks) if l not in partitions}}
                meet(met, at, positions[1:], weight)

    def fill(groups, partitions):
        return tuple(partitions.get(l, groups) for l in range(num_blocks))

    for positions in np.ndindex(*[num_blocks + 1] * 3):
        meet(
            [(task,) for task in TASKS], {}, sorted(positions, reverse=True), 1 / (num_blocks + 1) ** 3 / num_histories
        )
    return total


@pytest.mark.parametrize("enumerated", [True, False])
def test_frequencies_follow_the_stated_distribution(monkeypatch, enumerated):
    if not enumerated:
        monkeypatch.setattr(random_trees, "MAX_ENUMERATED", 0)
        monkeypatch.setattr(random_trees, "NUM_DRAWS", 512)
    rng = np.random.default_rng(1)
    table = even_table(2)
    expected = exact_distribution(2)
    assert sum(expected.values()) == pytest.approx(1)
    within = {tree: p for tree, p in expected.items() if 9 <= table.tree_cost(tree)["macs"] <= 11}
    num_draws = 2000
    drawn = Counter(random_tree(TASKS, table, 11, tolerance=0.19, rng=rng) for _ in range(num_draws))
    assert set(drawn) <= set(within)
    counts = np.array([[drawn[tree], num_draws * p / sum(within.values())] for tree, p in within.items()])
    chi_square = ((counts[:, 0] - counts[:, 1]) ** 2 / counts[:, 1]).sum()
    # Mean and variance of chi-square are k and 2k for k + 1 trees, each expected 5 times and more: five standard
    # deviations above the mean.
    k = len(within) - 1
    assert k > 10
    assert counts[:, 1].min() >= 5
    assert chi_square < k + 5 * np.sqrt(2 * k)


def test_shapes_follow_the_same_distribution():
    rng = np.random.default_rng(2)
    expected = exact_distribution(2)
    num_draws = 6000
    drawn = Counter(random_tree_shape(TASKS, 2, rng) for _ in range(num_draws))
    assert set(drawn) <= set(expected) == set(enumerate_trees(TASKS, 2))
    chi_square = sum((drawn[tree] - num_draws * p) ** 2 / (num_draws * p) for tree, p in expected.items())
    k = len(expected) - 1
    # As above; the rarest trees are expected 5 times and more, so that chi-square holds.
    assert min(expected.values()) * num_draws >= 5
    assert chi_square < k + 5 * np.sqrt(2 * k)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.3, 0.9, 0.999, 1.0])
def test_drawn_positions_find_the_window_that_enumeration_finds(monkeypatch, share):
    """With 5 tasks on 18 blocks both ways are possible; beyond `MAX_ENUMERATED` only the drawn one is."""
    rng = np.random.default_rng(3)
    tasks = NAMES[:5]
    blocks = tuple({"macs": int(macs)} for macs in rng.integers(10, 1000, size=18))
    table = CostTable({"macs": 50}, blocks, {task: {"macs": 100} for task in tasks}, tuple(map(str, range(18))))
    low = table.tree_cost(BranchTree.shared(tasks, 18))["macs"]
    high = table.tree_cost(BranchTree.separate(tasks, 18))["macs"]
    target = low + share * (high - low)
    exact = random_tree(tasks, table, target, rng=rng).cost["macs"]
    monkeypatch.setattr(random_trees, "MAX_ENUMERATED", 0)
    drawn = random_tree(tasks, table, target, rng=rng).cost["macs"]
    assert drawn <= target
    assert drawn == exact or drawn >= 0.98 * target


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.95, 1.0])
def test_forty_tasks_on_eighteen_blocks(share):
    tasks = [f"attribute{i}" for i in range(40)]
    assert comb(39 + 18, 39) > random_trees.MAX_ENUMERATED
    table = even_table(18, tasks, cost=10**7)
    low = table.tree_cost(BranchTree.shared(tasks, 18))["macs"]
    high = table.tree_cost(BranchTree.separate(tasks, 18))["macs"]
    target = low + share * (high - low)
    tree = random_tree(tasks, table, target, rng=np.random.default_rng(4))
    assert 0.98 * target <= tree.cost["macs"] <= target


def test_beyond_the_separate_tree_it_is_the_dearest():
    tree = random_tree(TASKS, even_table(3), 1e9, rng=np.random.default_rng(0))
    assert tree == BranchTree.separate(TASKS, 3)


def test_the_generator_is_the_only_source_of_randomness():
    table = even_table(6)
    first, second = (
        [random_tree(TASKS, table, 20, rng=rng) for _ in range(5)] for rng in map(np.random.default_rng, (7, 7))
    )
    assert first == second


def test_a_single_task_has_one_tree():
    table = even_table(3, ["only"])
    assert random_tree(["only"], table, 5, rng=np.random.default_rng(0)) == BranchTree.shared(["only"], 3)
    assert random_tree_shape(["only"], 3, np.random.default_rng(0)) == BranchTree.shared(["only"], 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": 7.9}, "smallest feasible target is 8 macs"),
        ({"target": float("nan")}, "target must be a finite amount"),
        ({"resource": "ms"}, "resource must be one of \\['macs', 'params'\\].*found 'ms'"),
        ({"tolerance": 1.0}, "tolerance must be in \\[0, 1\\); found 1.0"),
        ({"tolerance": -0.1}, "tolerance"),
        ({"tolerance": float("nan")}, "tolerance"),
        ({"tasks": ("semseg", "pose")}, "no heads for the tasks \\['pose'\\]"),
        ({"tasks": ()}, "at least one task"),
    ],
)
def test_what_cannot_be_had_is_an_input_error(arguments, message):
    valid = {"tasks": TASKS, "table": even_table(3), "target": 10, "rng": np.random.default_rng(0)}
    with pytest.raises(InputError, match=message):
        random_tree(**{**valid, **arguments})
