"""The recipe of planted problems: its budget allows the planted tree, its fields are plain, and it runs."""

import sys
from pathlib import Path

import pytest

import nas
from nas.cost import resolve_budget
from nas.datasets.planted import TREE_A, PlantedProblem, conv_problem, random_problem, tree_a, tree_c
from nas.recipe import describe, load_recipe
from nas.run import build_data, measure_parts

RECIPE = Path(__file__).parents[1] / "runs" / "planted.py"
PROBLEMS = [
    tree_a(),
    tree_c(),
    tree_a(input_width=3),
    PlantedProblem("00000012/00001123/00112234/00112234"),
    conv_problem(),
]


@pytest.fixture(scope="module")
def planted_experiment():
    load_recipe(RECIPE)
    return sys.modules["_recipe_planted"].planted_experiment


@pytest.mark.parametrize("problem", PROBLEMS + [random_problem(5, 3, seed) for seed in range(5)])
def test_the_budget_is_what_the_planted_tree_costs(planted_experiment, problem):
    experiment = planted_experiment(problem)
    table = measure_parts(experiment).table
    (budget,) = experiment.goal.budgets
    limit, cost = resolve_budget(budget, table, "macs"), table.tree_cost(problem.tree)["macs"]
    assert cost <= limit
    # One group more at the cheapest block would not fit.
    assert limit < cost + min(block["macs"] for block in table.blocks) or problem.tree.num_groups[0] == len(
        problem.tasks
    )


def test_its_record_says_what_is_planted_and_its_fields_can_be_changed():
    experiment = load_recipe(RECIPE, {"data.noise": 0.1, "data.num_train": 64, "data.seed": 4})
    record = describe(experiment)["data"]
    assert record["args"]["labels"] == TREE_A
    assert (record["args"]["noise"], record["args"]["seed"]) == (0.1, 4)
    data = build_data(experiment).source
    assert data.problem == tree_a(noise=0.1, num_train=64)
    assert data.seed == 4
    with pytest.raises(nas.InputError, match=r"no fields \['nois'\]"):
        build_data(load_recipe(RECIPE, {"data.nois": 0.1}))


def test_trainings_have_as_many_steps_however_little_data_there_is(planted_experiment):
    for problem, num_steps in (
        (tree_a(), 2000),
        (tree_a(num_train=192, num_architecture=64), 2000),
        (conv_problem(), 1000),
    ):
        size = problem.num_train + problem.num_architecture
        # Rounded to whole epochs, the longest of which have sixteen steps.
        assert abs(planted_experiment(problem).retrain.epochs * (size // 64) - num_steps) <= 8


def test_a_planted_problem_is_searched_and_retrained(planted_experiment, tmp_path):
    problem = conv_problem(num_train=64, num_architecture=64)
    changes = {"strategy.epochs": 2, "retrain.epochs": 1}
    experiment = planted_experiment(problem, seed=3, norm=True, width=4).with_fields(changes)
    assert experiment.seed == experiment.data.args["seed"] == 3
    run = nas.search(experiment, out=tmp_path / "run")
    # So short a search may recommend no tree.
    trained = nas.retrain(run.path, tree=run.front.points[0].tree_id, recipe=experiment)
    assert set(trained.test) == set(problem.tasks)
