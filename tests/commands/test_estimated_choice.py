"""`nas show RUN --within B --worst P` from the estimates of a measured search."""

import json

import pytest
from measured_runs import SEPARATE, SHARED, TABLE, TASKS, TREE, a_measured_run, measured
from small_digits import refused

import nas
from nas.cli.main import run
from nas.run import RunFolder
from nas.run.comparison import Comparison, Row
from nas.strategies.transfer.gains import chance_of_all

MODEL, RECORD = measured()
# In MACs of 330: SHARED 130, TREE 180, SEPARATE 300. What depth, normals and edge gain:
# SHARED -2, -3, -3; TREE 10 / 3, 4 / 3, -1; SEPARATE nothing.


@pytest.fixture
def folder(tmp_path):
    return a_measured_run(tmp_path / "run", RECORD, (TREE, SEPARATE))


@pytest.mark.parametrize(
    ("conditions", "name"),
    [
        ({}, TREE.id),
        ({"worst": 1.5}, TREE.id),
        ({"worst": 0.5}, SEPARATE.id),
        ({"within": 180}, TREE.id),
        ({"within": 179}, "shared"),
        ({"within": 0.4, "worst": 5}, "shared"),
    ],
)
def test_the_best_tree_by_the_posterior_mean_that_keeps_both_conditions(folder, conditions, name):
    choice = nas.choose(folder, **conditions)
    assert choice.name == name
    assert choice.tree == {"shared": SHARED, TREE.id: TREE, SEPARATE.id: SEPARATE}[name]
    assert choice.gains == RECORD.gains_of(choice.tree)
    assert choice.gain.mean == pytest.approx(MODEL.mean_gains([choice.tree])[0].item(), rel=1e-9, abs=1e-9)


def test_the_chance_is_that_of_all_tasks_together(folder):
    choice = nas.choose(folder, worst=1.1)
    gains = list(RECORD.gains_of(TREE).values())
    assert choice.chance == chance_of_all(gains, RECORD.correlation, -1.1)
    assert nas.choose(folder).chance is None


def test_it_is_marked_as_an_estimate(folder, capsys):
    assert run(["show", str(folder), "--worst", "3"]) == 0
    line = capsys.readouterr().out.splitlines()[0]
    choice = nas.choose(folder, worst=3)
    assert line == (
        f"tree {TREE.id}: 180 MACs, estimated by the search, which trained it for 4 of 4 epochs: gain over single "
        f"tasks {choice.gain} of the loss, worst task edge "
        f"{choice.gains['edge']}; all lose at most 3 % with probability 1.00"
    )
    assert run(["show", str(folder), "--worst", "3", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["kind"], record["name"], record["chance"]) == ("estimated", TREE.id, choice.chance)
    assert record["gains"]["edge"] == list(choice.gains["edge"])


def test_a_tree_that_was_not_trained_says_so(tmp_path):
    rows = tuple(row for row in RECORD.trainings if row.tree != TREE)
    record = measured(rows)[1]
    assert "by trainings of others" in nas.choose(a_measured_run(tmp_path / "run", record)).describe()


def test_what_comes_closest_is_named(folder, capsys):
    line = refused(capsys, "show", folder, "--within", "180", "--worst", "0.1")
    assert "no estimated tree within the budget has every task at -0.1 % or better" in line
    assert f"the closest is tree {TREE.id}: 180 MACs" in line
    assert f"beyond the budget there is tree {SEPARATE.id}" in line


def test_a_comparison_takes_the_estimates_place(folder):
    relative = {task: [5.0, 7.0] for task in TASKS}
    metrics = {task: {"loss": 1.0, "rmse": 1.0} for task in TASKS}
    cost = TABLE.tree_cost(SEPARATE)
    row = Row(SEPARATE.id, "found", cost, 1.0, 6.0, 1.0, 2, metrics, [5.0, 7.0], relative)
    Comparison("macs", [0, 1], [row]).write(folder / "compare")
    choice = nas.choose(folder)
    assert (choice.name, choice.kind) == (SEPARATE.id, "measured")


def test_without_gains_a_comparison_is_asked_for(tmp_path, capsys):
    folder = a_measured_run(tmp_path / "run", RECORD.model_copy(update={"gains": {}}))
    assert f"run: nas compare {folder}" in refused(capsys, "show", folder, "--worst", "3")
    RunFolder(folder).trial(0).path.joinpath("transfer.json").unlink()
    assert f"run: nas compare {folder}" in refused(capsys, "show", folder, "--worst", "3")
