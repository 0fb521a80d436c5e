"""Constraints of a whole experiment: refused before data is read, kept by what a search finds."""

from pathlib import Path

import pytest
from small_digits import RECIPE, changes

import nas
from nas.cli.main import run
from nas.recipe import load_recipe
from nas.run import check_budgets, measure_parts
from nas.tree import read_tree

APART = {"tasks": ["left", "restore"], "from_block": 1}


def experiment_with(**constraints):
    return load_recipe(Path(RECIPE)).with_fields({"goal.constraints": constraints})


def test_a_budget_between_the_shared_and_the_cheapest_allowed_tree_is_refused_without_data():
    free, constrained = experiment_with(), experiment_with(apart=[APART])
    table = measure_parts(free).table
    check_budgets(free, table, [0.25])
    with pytest.raises(nas.InputError, match="cheapest tree that keeps the constraints costs more") as error:
        check_budgets(constrained, table, [0.25])
    # What the message names is feasible when it is typed in.
    smallest = float(str(error.value).split("smallest feasible budget is ")[1].split()[0])
    check_budgets(constrained, table, [smallest])
    with pytest.raises(nas.InputError, match=r"no tasks \['upper'\]"):
        check_budgets(experiment_with(apart=[["left", "upper"]]), table, [])


def test_a_search_keeps_its_constraints(tmp_path):
    constraints = '{"apart": [{"tasks": ["left", "restore"], "from_block": 1}], "together": [["left", "right"]]}'
    arguments = changes(goal__constraints=constraints, goal__budgets=[0.5, 0.9])
    assert run(["search", RECIPE, "--out", str(tmp_path / "run"), *arguments]) == 0
    for path in (tmp_path / "run").glob("trials/0/trees/*.json"):
        for l, partition in enumerate(read_tree(path).partitions):
            (group,) = [group for group in partition if "left" in group]
            assert "right" in group
            assert l == 0 or "restore" not in group
