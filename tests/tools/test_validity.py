"""Validity: the rule, the contenders, and what it says of problems that ask something and of some that do not."""

import pytest
import torch
from toys import DEVICE, ToyData, VectorBackbone, names, toy_tasks

from nas.cost import measure_costs
from nas.data import derive_seed
from nas.datasets.planted import TREE_A, PlantedData, PlantedProblem, planted_tasks, tree_a, tree_c
from nas.engine.checkpoint import CheckpointFolder, load_tensors
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from nas.errors import InputError
from nas.networks.branched import BranchedNetwork
from nas.training import Retraining, TrainingSettings, TrainingState, load_network
from nas.tree import BranchTree
from search_spaces import PlantedBackbone
from tools.validity import Validity, check_validity, contenders, judge_validity, train_to_best

RECIPE = TrainingSettings(
    epochs=125,
    batch_size=64,
    optimizer=OptimizerSettings(kind="adam", lr=2e-2),
    schedule=ScheduleSettings(kind="cosine"),
)


def table_of(problem: PlantedProblem):
    return measure_costs(PlantedBackbone(problem.num_blocks), planted_tasks(problem), problem.input_shape).table


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


def test_a_training_is_a_retraining(tmp_path):
    tasks, data, backbone = toy_tasks(3), ToyData(toy_tasks(3), missing=0.2), VectorBackbone(3)
    tree = BranchTree.from_choices(names(tasks), [[0, 0, 0], [0, 0, 1], [0, 1, 2]])
    settings = TrainingSettings(epochs=4, batch_size=16, optimizer=OptimizerSettings(lr=0.05))
    state = torch.get_rng_state()
    measured = train_to_best(tree, backbone, tasks, data, settings, seed=7)
    assert torch.equal(torch.get_rng_state(), state)

    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(7, "network"))
        network = BranchedNetwork(backbone, tasks, tree)
    training = Retraining(tasks, data, settings, seed=7, device=DEVICE)
    trained = TrainingState.start(network, settings)
    training.run(trained, CheckpointFolder(tmp_path), lambda _: None)
    load_network(network, load_tensors(CheckpointFolder(tmp_path).path(trained.best_epoch)), "")
    assert measured == training.evaluate(network, "test")
    assert measured != train_to_best(tree, backbone, tasks, data, settings, seed=8)


def test_every_contender_is_trained_with_every_seed():
    problem = PlantedProblem("000/001", num_train=16, num_architecture=16, num_validation=8, num_test=8)
    settings = TrainingSettings(epochs=1, batch_size=8)
    arguments = (problem.tree, PlantedBackbone(2), planted_tasks(problem), PlantedData(problem), table_of(problem))
    both = check_validity(*arguments, settings, seeds=(0, 1), num_random=2)
    first, second = (check_validity(*arguments, settings, seeds=(seed,), num_random=2) for seed in (0, 1))
    assert both.planted == pytest.approx((first.planted + second.planted) / 2)
    mean = (first.shared * first.planted + second.shared * second.planted) / 2
    assert both.shared == pytest.approx(mean / both.planted)
    assert len(both.random) == 2


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
    validity = check_validity(
        problem.tree,
        PlantedBackbone(problem.num_blocks),
        planted_tasks(problem),
        PlantedData(problem, 0),
        table_of(problem),
        RECIPE,
        num_random=3,
    )
    assert validity.valid == valid, validity
