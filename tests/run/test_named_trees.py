import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.errors import InputError
from nas.run import is_tree_name, named_tree
from nas.tree import BranchTree, CostTable

TASKS = ("depth", "edge", "parts")
TABLE = CostTable(
    stem={"macs": 10, "params": 1},
    blocks=({"macs": 40, "params": 1}, {"macs": 30, "params": 8}),
    heads={task: {"macs": 10, "params": 1} for task in TASKS},
    block_names=("early", "late"),
)


def test_shared_and_separate_are_the_cheapest_and_the_dearest_tree():
    assert named_tree("shared", TABLE, "macs") == BranchTree.shared(TASKS, 2)
    assert named_tree("separate", TABLE, "macs") == BranchTree.separate(TASKS, 2)
    assert named_tree("shared", TABLE, "macs").cost == {"macs": 110, "params": 13}


@given(st.integers(0, 2**32))
def test_a_random_tree_is_that_of_its_seed(seed):
    tree = named_tree(f"random:{seed}", TABLE, "macs")
    assert tree == named_tree(f"random:{seed}", TABLE, "params")
    assert set(tree.tasks) == set(TASKS)


def test_seeds_give_different_trees():
    assert len({named_tree(f"random:{seed}", TABLE, "macs").id for seed in range(30)}) > 3


@pytest.mark.parametrize("budget", ["0.7", "190", "1.9e2"])
def test_a_random_tree_costs_at_most_its_budget_and_as_much_as_trees_do(budget):
    costs = {named_tree(f"random:{seed}:{budget}", TABLE, "macs").cost["macs"] for seed in range(10)}
    assert costs == {180}, "of 270; the trees cost 110, 140, 170, 180 and more"


def test_the_budget_counts_the_resource():
    assert named_tree("random:0:0.99", TABLE, "params").cost["params"] <= 0.99 * TABLE.separate_cost()["params"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("random", "random:SEED"),
        ("random:", "random:SEED"),
        ("random:-1", "random:SEED"),
        ("random:1.5", "random:SEED"),
        ("random:²", "random:SEED"),
        ("random:1:", "'' is not a number"),
        ("random:1:half", "'half' is not a number"),
        ("random:1:0.1", "smallest feasible budget"),
        ("random:1:nan", "a budget is a share"),
        ("random:1:0.5:2", "'0.5:2' is not a number"),
    ],
)
def test_what_is_no_such_name_is_refused_with_the_rule(name, words):
    assert is_tree_name(name)
    with pytest.raises(InputError, match=f"^tree '{name}'") as error:
        named_tree(name, TABLE, "macs")
    assert words in str(error.value)


@pytest.mark.parametrize("text", ["ab12", "tree.json", "random.json", "./shared", "Shared", ""])
def test_ids_and_files_are_no_such_names(text):
    assert not is_tree_name(text)
