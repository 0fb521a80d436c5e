"""The strategy: trees within budgets, constraints and nodes, inherited weights, and other goals from one search."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toys import DEVICE, IN_FEATURES, ToyData, VectorBackbone, names, seeded, toy_tasks

from nas.cost import measure_costs
from nas.engine.optimizer import OptimizerSettings
from nas.errors import InputError
from nas.networks.branched import BranchedNetwork
from nas.networks.supernet import ParentSupernet, one_hot_parents
from nas.strategies import Goal, ParentChoice, Problem, Store, ltb
from nas.strategies.parents.inherit import assign_nodes, inherit_nodes
from nas.strategies.parents.record import ParentsRecord
from nas.tree import BranchTree, ancestors, parents_of, tree_from_parents

TASKS = toy_tasks(4)
BACKBONE = VectorBackbone(3)
TABLE = measure_costs(BACKBONE, TASKS, (IN_FEATURES,)).table
QUICK = {"epochs": 2, "batch_size": 16, "logits": OptimizerSettings(kind="adam", lr=0.3)}


def problem(folder, goal, tasks=TASKS):
    return Problem(tasks, BACKBONE, ToyData(tasks), TABLE, goal, seed=0, device=DEVICE, store=Store(folder))


@pytest.mark.parametrize("nodes", [(1, 2, 3), (2, 2, 2)])
def test_trees_keep_budgets_constraints_and_nodes(tmp_path, nodes):
    goal = Goal(budgets=(0.6, 0.8, 1.0), constraints={"apart": [{"tasks": ["t0", "t1"], "from_block": 1}]})
    found = ParentChoice(nodes=nodes, **QUICK).search(problem(tmp_path, goal))
    assert [tree.budget for tree in found.trees] == [0.6, 0.8, 1.0]
    for tree in found.trees:
        assert tree.tree.cost["macs"] <= tree.budget * TABLE.separate_cost()["macs"]
        assert not any({"t0", "t1"} <= set(group) for group in tree.tree.partitions[1])
        # It is a tree of the space.
        assert tree_from_parents(names(TASKS), parents_of(tree.tree, nodes)) == tree.tree
    record = Store(tmp_path).read("parents")
    assert ParentsRecord.model_validate(record).nodes == nodes


@pytest.mark.parametrize("sampler", ["gumbel", "dselect_k", "entmax"])
def test_other_goals_need_no_training(tmp_path, sampler):
    strategy, goal = ParentChoice(nodes=3, sampler=sampler, **QUICK), Goal(budgets=(0.7,))
    found = strategy.search(problem(tmp_path, goal))
    again = strategy.cut(problem(tmp_path, goal))
    assert [(tree.tree, tree.value) for tree in again.trees] == [(tree.tree, tree.value) for tree in found.trees]
    other = strategy.cut(problem(tmp_path, Goal(budgets=(0.5, 0.9))))
    assert [tree.budget for tree in other.trees] == [0.5, 0.9]
    with pytest.raises(InputError, match="lacks the last checkpoint"):
        strategy.cut(problem(tmp_path / "empty", goal))


@pytest.mark.parametrize(
    ("fields", "goal", "message"),
    [
        ({"nodes": (2, 2)}, Goal(), "strategy.nodes has 2 numbers, and the backbone 3 blocks"),
        ({"nodes": 2}, Goal(constraints={"apart": [["t0", "t1", "t2"]]}), r"at most \[2, 2, 2\] groups"),
        ({}, Goal(budgets=(0.3,), constraints={"apart": [["t0", "t1", "t2"]]}), "smallest feasible budget"),
    ],
)
def test_a_goal_that_the_space_cannot_serve_is_refused_before_the_work(tmp_path, fields, goal, message):
    strategy = ParentChoice(**{**QUICK, **fields})
    with pytest.raises(InputError, match=message):
        strategy.check_problem(problem(tmp_path, goal))
    with pytest.raises(InputError, match=message):
        strategy.search(problem(tmp_path, goal))
    assert not list(tmp_path.iterdir())


def test_the_published_rule_keeps_no_budget():
    assert ltb().discretize == "argmax"
    ltb().check_goal(Goal())
    with pytest.raises(ValueError, match="'argmax' cannot keep a budget"):
        ltb().check_goal(Goal(budgets=(0.5,)))
    with pytest.raises(ValueError, match="'argmax' cannot keep constraints"):
        ltb().check_goal(Goal(constraints={"apart": [["t0", "t1"]]}))


def test_the_first_steps_are_those_of_the_search(tmp_path):
    steps = ParentChoice(**QUICK).first_steps(problem(tmp_path, Goal()))
    assert set(steps.losses) == set(names(TASKS))
    assert steps.seconds > 0
    assert steps.state_bytes > 0


@st.composite
def parent_choices(draw):
    nodes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    readers = [*nodes[1:], draw(st.integers(1, 4))]
    return nodes, [
        draw(st.lists(st.integers(0, j - 1), min_size=k, max_size=k)) for j, k in zip(nodes, readers, strict=True)
    ]


@settings(deadline=None)
@given(parent_choices())
def test_sharp_logits_give_the_tasks_ancestors(case):
    nodes, rows = case
    tasks = names(toy_tasks(len(rows[-1])))
    tree = tree_from_parents(tasks, rows)
    logits = [100.0 * routing for routing in one_hot_parents(rows, nodes)]
    expected = [
        [ancestors(rows)[l][tasks.index(group[0])] for group in partition]
        for l, partition in enumerate(tree.partitions)
    ]
    assert assign_nodes(tree, tasks, logits) == expected


@settings(deadline=None)
@given(parent_choices(), st.integers(0, 99))
def test_groups_inherit_different_nodes(case, seed):
    nodes, rows = case
    tasks, generator = names(toy_tasks(len(rows[-1]))), torch.Generator().manual_seed(seed)
    tree = tree_from_parents(tasks, rows)
    # Logits that know nothing of the tree, and are sure of something else.
    logits = [50.0 * torch.randn(len(row), j, generator=generator) for row, j in zip(rows, nodes, strict=True)]
    for row, num_nodes in zip(assign_nodes(tree, tasks, logits), nodes, strict=True):
        assert len(set(row)) == len(row)
        assert set(row) <= set(range(num_nodes))


def test_a_tree_of_more_groups_than_nodes_inherits_the_likeliest():
    logits = [torch.zeros(2, 1), torch.tensor([[0.0, 1.0], [0.0, 2.0], [3.0, 0.0]])]
    tree = BranchTree.separate(("a", "b", "c"), 2)
    assert assign_nodes(tree, tree.tasks, logits) == [[0, 0, 0], [1, 1, 0]]


def test_inherited_weights_are_those_of_the_nodes():
    tasks, nodes, rows = TASKS[:3], (2, 2, 3), [[1, 0], [0, 1, 0], [2, 1, 2]]
    supernet = seeded(lambda: ParentSupernet(BACKBONE, tasks, nodes)).eval()
    tree = tree_from_parents(names(tasks), rows)
    network = BranchedNetwork(BACKBONE, tasks, tree).eval()
    inherit_nodes(network, supernet, [30.0 * routing for routing in one_hot_parents(rows, nodes)])
    inputs = torch.randn(4, IN_FEATURES, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(inputs), supernet(inputs, one_hot_parents(rows, nodes)), rtol=0, atol=0)


def test_a_search_leaves_its_weights_to_a_tree(tmp_path):
    strategy = ParentChoice(nodes=2, **QUICK)
    found = strategy.search(problem(tmp_path, Goal(budgets=(0.8,))))
    network = BranchedNetwork(BACKBONE, TASKS, found.trees[0].tree)
    before = network.stem[0].weight.clone()
    strategy.inherit(network, TASKS, BACKBONE, Store(tmp_path))
    saved = Store(tmp_path).checkpoints.latest()
    assert torch.equal(network.stem[0].weight, saved["supernet"]["stem.0.weight"])
    assert not torch.equal(network.stem[0].weight, before)


@pytest.mark.parametrize("sampler", ["dselect_k", "entmax"])
def test_a_network_inherits_by_the_samplers_last_probabilities(tmp_path, sampler):
    strategy, goal = ParentChoice(nodes=3, sampler=sampler, **QUICK), Goal(budgets=(0.7,))
    its = problem(tmp_path, goal)
    (tree,) = strategy.search(its).trees
    network = seeded(lambda: BranchedNetwork(BACKBONE, TASKS, tree.tree))
    strategy.inherit(network, TASKS, BACKBONE, its.store)
    saved = its.store.checkpoints.latest()
    logits = [torch.tensor(rows) for rows in its.store.read("parents")["logits"]]
    chosen = assign_nodes(tree.tree, names(TASKS), logits)
    for l, row in enumerate(chosen):
        for instance, node in zip(network.blocks[l], row, strict=True):
            for name, tensor in instance.state_dict().items():
                torch.testing.assert_close(tensor, saved["supernet"][f"blocks.{l}.{node}.{name}"], rtol=0, atol=0)
