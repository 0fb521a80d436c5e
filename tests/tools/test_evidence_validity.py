"""Validity: the rule, the contenders, and what it says of problems that ask something and of some that do not."""

import pytest
import torch
from toys import DEVICE

from nas.cost import measure_costs
from nas.datasets.planted import TREE_A, PlantedData, PlantedProblem, planted_tasks, tree_a, tree_c
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from nas.errors import InputError
from nas.networks.branched import BranchedNetwork
from nas.training import Retraining, TrainingSettings, TrainingState
from nas.tree import BranchTree
from search_spaces import PlantedBackbone
from tools.evidence_validity import Validity, contenders, judge_validity, mean_test_loss

RECIPE = TrainingSettings(
    epochs=125,
    batch_size=64,
    optimizer=OptimizerSettings(kind="adam", lr=2e-2),
    schedule=ScheduleSettings(kind="cosine"),
)


def table_of(problem: PlantedProblem):
    return measure_costs(PlantedBackbone(problem.num_blocks), planted_tasks(problem), problem.input_shape).table


def loss_of(problem: PlantedProblem, tree: BranchTree) -> float:
    """After the last epoch."""
    tasks = planted_tasks(problem)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = BranchedNetwork(PlantedBackbone(problem.num_blocks), tasks, tree)
    training = Retraining(tasks, PlantedData(problem, 0), RECIPE, seed=0, device=DEVICE)
    state = TrainingState.start(network, RECIPE)
    for epoch in range(RECIPE.epochs):
        training.train_epoch(state, epoch)
    return mean_test_loss(training.evaluate(network, "test"))


@pytest.mark.parametrize(
    ("random", "shared", "valid"),
    [
        ((1.2, 1.4), 1.4, True),
        ((1.2, 1.2), 1.4, False),
        ((1.4, 1.4), 1.2, False),
        ((0.8, 1.9), 1.4, True),
        ((1.25,), 1.25, True),
    ],
)
def test_a_problem_is_valid_if_random_and_shared_trees_are_worse_by_the_margin(random, shared, valid):
    # The separate tree may be better.
    assert Validity(0.1, random, shared, separate=0.5, margin=0.25).valid == valid


def test_losses_are_means_over_seeds_relative_to_the_planted_tree():
    losses = {
        "planted": [1.0, 3.0],
        "shared": [5.0, 5.0],
        "separate": [1.0, 1.0],
        "random0": [2.0, 4.0],
        "random1": [8.0],
    }
    assert judge_validity(losses, 0.5) == Validity(2.0, (1.5, 4.0), 2.5, 0.5, 0.5)


@pytest.mark.parametrize("problem", [tree_a(), tree_c(), PlantedProblem("0000/0011/0012")])
def test_random_contenders_are_other_trees_of_equal_cost(problem):
    table, tree = table_of(problem), problem.tree
    found = contenders(tree, table, 3)
    assert list(found) == ["planted", "shared", "separate", "random0", "random1", "random2"]
    assert found["planted"] == tree
    assert found["shared"] == BranchTree.shared(tree.tasks, problem.num_blocks)
    assert found["separate"] == BranchTree.separate(tree.tasks, problem.num_blocks)
    random = [found[f"random{i}"] for i in range(3)]
    assert len({tree, *random}) == 4
    # All blocks cost the same here, so there is a tree of exactly this cost.
    assert {table.tree_cost(other)["macs"] for other in random} == {table.tree_cost(tree)["macs"]}
    assert contenders(tree, table, 3) == found
    assert contenders(tree, table, 3, seed=1) != found


def test_a_tree_without_others_of_its_cost_cannot_be_judged():
    problem = PlantedProblem("0000/0000")
    with pytest.raises(InputError, match=f"no tree but {problem.tree.id} itself costs"):
        contenders(problem.tree, table_of(problem), 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("problem", "valid"),
    [
        (tree_a(), True),
        # A nearly linear teacher: what one group computes, any network that passes its input on can give to all heads.
        (PlantedProblem(TREE_A, weight_sd=0.02, bias_sd=0.0), False),
        # Few noisy labels: networks learn too little for their trees to matter.
        (tree_a(noise=3.0, num_train=96, num_architecture=32), False),
    ],
)
def test_a_valid_problem_is_told_from_invalid_ones(problem, valid):
    torch.set_num_threads(1)
    losses = {name: [loss_of(problem, tree)] for name, tree in contenders(problem.tree, table_of(problem), 3).items()}
    validity = judge_validity(losses)
    assert validity.valid == valid, validity
