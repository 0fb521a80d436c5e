"""Trees that a finished run is cut to are those of a search, and join the run without a loss."""

import json
import shutil
import sys

import pytest
from small_digits import refused
from small_search import RECIPE, experiment, searched

import nas
from nas.cli.main import run
from nas.report.figures import curves_beside
from nas.run import RunFolder
from nas.strategies.diagnosis import Diagnosis

APART = {"apart": [["t0", "t1"]]}
STRATEGIES = ("similarity", "gradient")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "recipe.py"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def pristine(recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched")
    return {name: searched(folder / name, recipe, strategy=name).path for name in STRATEGIES}


@pytest.fixture
def own_run(pristine, tmp_path):
    """A copy of the similarity search for one test to change."""
    return shutil.copytree(pristine["similarity"], tmp_path / "run")


def described(folder, points):
    """Everything about points but their places among others."""
    return {
        (
            (folder / point.tree).read_text(),
            point.budget,
            point.quality.value,
            point.quality.measure,
            tuple(point.cost.items()),
        )
        for point in points
    }


def files(folder):
    """The content of every file; the lock's file stays when its holder ends."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.mark.parametrize("goal", [{"budgets": (0.5, 0.95)}, {"constraints": APART}], ids=["budgets", "constraints"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_trees_and_values_are_those_of_a_search(strategy, goal, pristine, recipe, tmp_path):
    # The largest budget stays, since the gradient search trains towards it.
    folder = shutil.copytree(pristine[strategy], tmp_path / "run")
    shown = nas.front(folder, **goal)
    changes = {f"goal__{name}": value for name, value in goal.items()}
    other = searched(tmp_path / "other", recipe, strategy=strategy, **changes)
    assert described(folder, shown.asked) == described(other.path, other.front.points)
    margins = Diagnosis.read(other.trial(0).path).margins
    assert margins
    assert set(margins) <= set(Diagnosis.read(folder / "trials/0").margins)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_goal_of_the_search_gives_what_the_run_has(strategy, pristine, tmp_path):
    folder = shutil.copytree(pristine[strategy], tmp_path / "run")
    before = RunFolder(folder).front
    shown = nas.front(folder, budgets=(0.6, 0.95))
    assert (shown.front, shown.asked) == (before, before.points)


def test_what_the_run_had_stays_and_repeating_changes_nothing(own_run):
    before = RunFolder(own_run).front
    shown = nas.front(own_run, budgets=(0.5,))
    assert described(own_run, before.points) < described(own_run, shown.front.points)
    assert RunFolder(own_run).front == shown.front
    written = files(own_run)
    assert nas.front(own_run, budgets=(0.5,)).front == shown.front
    assert files(own_run) == written


def test_a_new_tree_is_shown_drawn_and_retrained(own_run, capsys):
    (point,) = (point for point in nas.front(own_run, budgets=(0.5,)).asked if point.budget == 0.5)
    assert point.tree_id not in {p.tree_id for p in RunFolder(own_run).front.points if p.budget in (0.6, 0.95)}
    assert (own_run / "figures" / f"{point.tree_id}.png").is_file()
    for command in ("show", "retrain", "explain"):
        assert run([command, str(own_run), "--tree", point.tree_id]) == 0, command
    assert run(["retrain", str(own_run), "--tree", point.tree_id, "--from", "inherited"]) == 0


def test_a_run_that_is_finished_again_keeps_the_new_trees(own_run, recipe):
    shown = nas.front(own_run, budgets=(0.8,), constraints=APART)
    (own_run / "front.json").unlink()
    nas.search(recipe, out=own_run, resume=True)
    assert RunFolder(own_run).front == shown.front


def test_a_command_that_is_killed_leaves_the_front_and_is_completed_by_the_next(own_run, tmp_path, monkeypatch):
    whole = shutil.copytree(own_run, tmp_path / "whole")
    nas.front(whole, budgets=(0.5,))
    before = (own_run / "front.json").read_bytes()

    def killed(*_, **__):
        raise KeyboardInterrupt

    for place in ("write_outcome", "draw_figures"):
        with monkeypatch.context() as patched:
            patched.setattr(sys.modules["nas.commands.further_trees"], place, killed)
            with pytest.raises(KeyboardInterrupt):
                nas.front(own_run, budgets=(0.5,))
        assert (own_run / "front.json").read_bytes() == before
    nas.front(own_run, budgets=(0.45,))
    nas.front(whole, budgets=(0.45,))
    assert RunFolder(own_run).front == RunFolder(whole).front


def test_one_command_writes_at_a_time(own_run, capsys):
    with RunFolder(own_run).locked():
        assert "another process is writing" in refused(capsys, "front", own_run, "--budgets", ".8")
        assert run(["front", str(own_run)]) == 0


def test_a_measured_tree_stays_measured(recipe, tmp_path):
    measured = searched(tmp_path / "run", recipe, goal__measure="all", goal__budgets=[0.5])
    (point,) = (point for point in measured.front.points if point.budget == 0.5)
    # A budget in between allows the same tree.
    share = point.cost["macs"] / nas.front(measured.path).separate
    (same,) = (point for point in nas.front(measured.path, budgets=(share,)).asked if point.budget == share)
    assert (same.tree, same.quality, same.estimate) == (point.tree, point.quality, point.estimate)
    assert same.quality.kind == "measured"


def copied_trial(folder, seed):
    """Add a trial that has learned what trial 0 has."""
    text = {name: (folder / "trials/0" / name).read_text() for name in ("trial.json", "result.json")}
    shutil.copytree(folder / "trials/0", folder / "trials/1")
    setting = {**json.loads(text["trial.json"]), "number": 1, "seed": seed}
    result = json.loads(text["result.json"].replace("trials/0", "trials/1"))
    result["points"] = [{**point, "trial": 1, "seed": seed} for point in result["points"]]
    (folder / "trials/1/trial.json").write_text(json.dumps(setting))
    (folder / "trials/1/result.json").write_text(json.dumps(result))


@pytest.mark.parametrize(("seed", "trials"), [(0, [0]), (1, [0, 1])])
def test_every_trial_is_cut_and_trials_that_learned_the_same_give_one_point(own_run, seed, trials):
    copied_trial(own_run, seed)
    points = nas.front(own_run, budgets=(0.5,)).asked
    assert sorted(point.trial for point in points if point.budget == 0.5) == trials


def test_constraints_are_recorded_beside_the_budgets_they_had(own_run):
    points = nas.front(own_run, constraints=APART).asked
    assert {point.budget for point in points} == {0.6, 0.95, None}
    for point in points:
        assert point.constraints.apart[0].tasks == ("t0", "t1")
        tree = RunFolder(own_run).find_tree(str(own_run / point.tree))
        assert not any({"t0", "t1"} <= set(group) for partition in tree.partitions for group in partition)
    assert any(point.constraints is None for point in RunFolder(own_run).front.points)


def test_without_budgets_the_front_and_the_whole_curve_are_printed(pristine, capsys):
    folder = pristine["similarity"]
    written = files(folder)
    curve = json.loads((folder / "trials/0/curve.json").read_text())
    assert run(["front", str(folder), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    points = [{name: point[name] for name in ("cost", "value", "tree")} for point in curve["points"]]
    assert shown["curve"]["points"] == points
    assert shown["points"] == json.loads((folder / "front.json").read_text())["points"]
    assert run(["front", str(folder)]) == 0
    text = capsys.readouterr().out
    assert all(point["tree"] in text for point in points)
    assert files(folder) == written


def test_the_command_line_takes_budgets_in_both_forms_and_constraints_as_text_or_file(own_run, tmp_path, capsys):
    (tmp_path / "apart.json").write_text(json.dumps(APART))
    answers = []
    for arguments in (
        ["--budgets", ".75", ".8", "--constraints", json.dumps(APART)],
        ["--constraints", str(tmp_path / "apart.json"), "--budgets", "0.75,0.8"],
    ):
        assert run(["front", str(own_run), *arguments, "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out)["asked"])
    assert answers[0] == answers[1]
    assert {point["budget"] for point in answers[0]} == {0.75, 0.8, None}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--budgets", ".1"], "the smallest feasible budget is"),
        (["--budgets", "0.8", "x"], "'x' is not a number"),
        (["--budgets", "-1"], "goal.budgets.0"),
        (["0.8"], "unexpected argument '0.8'"),
        (["--constraints", '{"apart"'], "neither JSON nor a file"),
        (["--constraints", "nowhere.json"], "nowhere.json: no such file"),
        (["--constraints", '{"apart": [["t0", "t9"]]}'], "t9"),
        (["--constraints", '{"aprt": []}'], "aprt"),
        (["--constraints", '{"shared_prefix": 1, "frozen_prefix": true}'], "--constraints freeze 1 blocks"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(own_run, arguments, words, capsys):
    written = files(own_run)
    assert words in refused(capsys, "front", own_run, *arguments)
    assert files(own_run) == written


def test_a_budget_below_what_constraints_allow_names_the_smallest(own_run, capsys):
    line = refused(capsys, "front", own_run, "--budgets", "0.51", "--constraints", json.dumps(APART))
    smallest = line.split("smallest feasible budget is ")[1].split()[0]
    assert run(["front", str(own_run), "--budgets", smallest, "--constraints", json.dumps(APART)]) == 0


def test_an_unfinished_search_or_lost_logits_are_refused(own_run, pristine, tmp_path, capsys):
    (own_run / "front.json").unlink()
    for arguments in ([], ["--budgets", "0.8"]):
        assert "finish its search" in refused(capsys, "front", own_run, *arguments)
    gradient = shutil.copytree(pristine["gradient"], tmp_path / "gradient")
    shutil.rmtree(gradient / "trials/0/checkpoint")
    assert "lacks the last checkpoint" in refused(capsys, "front", gradient, "--budgets", "0.8")


class Fixed:
    """A user's own strategy, which finds the shared tree."""

    def search(self, problem):
        from nas.strategies import Found, FoundTree
        from nas.tree import BranchTree

        tree = BranchTree.shared(problem.task_names, len(problem.table.blocks))
        return Found(tuple(FoundTree(tree, budget, 0.0, "none") for budget in problem.goal.budgets))


class Cuttable(Fixed):
    cut = Fixed.search


def test_an_own_strategy_is_cut_by_its_own_member_or_refused(tmp_path):
    own = experiment().with_fields({"strategy": Fixed()})
    folder = nas.search(own, out=tmp_path / "run").path
    with pytest.raises(nas.InputError, match="strategy Fixed keeps nothing that other trees could be cut from"):
        nas.front(folder, budgets=(0.5,), recipe=own)
    own = experiment().with_fields({"strategy": Cuttable()})
    folder = nas.search(own, out=tmp_path / "other").path
    assert [point.budget for point in nas.front(folder, budgets=(0.5,), recipe=own).asked] == [0.5]


def test_the_front_is_drawn_with_the_curve_if_its_values_are_the_qualities(pristine):
    drawn = {name: RunFolder(folder) for name, folder in pristine.items()}
    (curve,) = curves_beside(drawn["similarity"], drawn["similarity"].front.points)
    assert len(curve) == len(drawn["similarity"].trial(0).curve.points)
    qualities = {(point.cost["macs"], point.quality.value) for point in drawn["similarity"].front.points}
    assert qualities <= set(curve)
    assert curves_beside(drawn["gradient"], drawn["gradient"].front.points) == []
