"""Trees of a measured search that are trained in parallel on Ray give what training one after the other gives."""

from pathlib import Path

import pytest

pytest.importorskip("ray")

from measured_toy import RECIPE
from small_digits import refused

import nas
from nas.errors import InputError
from nas.launch import evaluations
from nas.launch.evaluations import RayEvaluator, read_files, train_in_task, write_files
from nas.launch.session import Resources
from nas.launch.worker import Assignment
from nas.recipe import load_recipe, recipe_hash
from nas.run import RunFolder, build_data, plan_trials, resolve_device
from nas.run.evaluator import RunEvaluator
from nas.run.search_trial import run_trial
from nas.strategies.evaluator import Request
from nas.tree import BranchTree, enumerate_trees


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.py"
    path.write_text(RECIPE)
    return path


def ray_evaluator(recipe, folder):
    experiment = load_recipe(recipe, {})
    (trial,) = plan_trials(experiment)
    run = RunFolder(folder)
    place = run.trial(0).path / "trainings"
    own = RunEvaluator(run, trial.experiment(experiment), build_data(experiment), resolve_device("cpu"), place)
    assignment = Assignment(str(recipe), None, recipe_hash(recipe), {}, str(folder), num_threads=1)
    return RayEvaluator(own, assignment, trial, Resources(1, 0.0))


def contents(folder):
    """All files but those that tell the time."""
    times = ("seconds.json", "begun.json", ".lock")
    return {name: data for name, data in read_files(folder).items() if Path(name).name not in times}


def test_files_travel_and_take_the_place_of_those_before(tmp_path):
    (tmp_path / "a/checkpoint").mkdir(parents=True)
    for name in ("metrics.jsonl", "checkpoint/epoch-0002.pt", "tree.json"):
        (tmp_path / "a" / name).write_text(name)
    files = read_files(tmp_path / "a")
    assert set(files) == {"metrics.jsonl", "checkpoint/epoch-0002.pt", "tree.json"}
    assert read_files(tmp_path / "nothing") == {}
    (tmp_path / "b/checkpoint").mkdir(parents=True)
    (tmp_path / "b/checkpoint/epoch-0001.pt").write_text("old")
    write_files(tmp_path / "b", files)
    assert read_files(tmp_path / "b") == files


def test_the_record_of_the_epochs_is_written_last(tmp_path, monkeypatch):
    """A search that is killed meanwhile must not take half of a training for a whole one."""
    written, write = [], evaluations.write_bytes_atomically
    monkeypatch.setattr(
        evaluations, "write_bytes_atomically", lambda path, data: written.append(path.name) or write(path, data)
    )
    write_files(tmp_path, {"metrics.jsonl": b"", "tree.json": b"", "checkpoint/epoch-0001.pt": b""})
    assert written[-1] == "metrics.jsonl"


def test_a_task_trains_what_this_process_trains_and_continues_it(recipe, tmp_path):
    """Without Ray: the function that its workers run."""
    its = ray_evaluator(recipe, tmp_path / "run")
    tree = BranchTree.shared(["t0", "t1", "t2"], 2)
    folder = its.own.training(tree).folder
    short = train_in_task(its.assignment, its.trial, Request(tree, 2), {})
    write_files(folder, short)
    assert its.own.has(Request(tree, 2))
    write_files(folder, train_in_task(its.assignment, its.trial, Request(tree, 4), read_files(folder)))
    alone = ray_evaluator(recipe, tmp_path / "alone")
    (found,) = alone.own.train([Request(tree, 4)])
    assert its.own.train([Request(tree, 4)])[0].validation == found.validation
    ours, theirs = contents(folder), contents(alone.own.training(tree).folder)
    assert ours.keys() == theirs.keys()
    assert ours["metrics.jsonl"] == theirs["metrics.jsonl"]


def test_a_task_returns_what_failed(recipe, tmp_path):
    its = ray_evaluator(recipe, tmp_path)
    tree = BranchTree.shared(["t0", "t1", "other"], 2)
    cause, reason = train_in_task(its.assignment, its.trial, Request(tree, 1), {})
    assert cause == "input"
    assert "other" in reason
    gone = Assignment(str(tmp_path / "gone.py"), None, "", {}, str(tmp_path), num_threads=1)
    assert train_in_task(gone, its.trial, Request(tree, 1), {})[0] == "input"


@pytest.mark.usefixtures("local_ray")
def test_trees_are_trained_in_tasks_as_far_as_there_is_room(recipe, tmp_path, monkeypatch):
    trees = list(enumerate_trees(["t0", "t1", "t2"], 2))[:3]
    found, train = {}, RunEvaluator.train
    for room in (0, 1, 5):
        its = ray_evaluator(recipe, tmp_path / str(room))
        own = []
        with monkeypatch.context() as patch:
            patch.setattr(RayEvaluator, "_free_slots", lambda self, room=room: room)
            # Only what is not there yet is trained here.
            patch.setattr(
                RunEvaluator,
                "train",
                lambda self, requests, own=own: (
                    own.extend(r for r in requests if not self.has(r)) or train(self, requests)
                ),
            )
            found[room] = its.train([Request(tree, 2) for tree in trees])
        assert len(own) == max(1, 3 - room)
        assert [evaluation.tree for evaluation in found[room]] == trees
        assert all(evaluation.seconds > 0.0 for evaluation in found[room])
        assert its.train([Request(tree, 2) for tree in trees]) == found[room]
    for room in (1, 5):
        assert [each.validation for each in found[room]] == [each.validation for each in found[0]]
        assert contents(tmp_path / str(room)).keys() == contents(tmp_path / "0").keys()


@pytest.mark.usefixtures("local_ray")
def test_a_task_that_fails_is_one_line(recipe, tmp_path, monkeypatch):
    its = ray_evaluator(recipe, tmp_path / "run")
    monkeypatch.setattr(RayEvaluator, "_free_slots", lambda self: 1)
    trees = [BranchTree.shared(["t0", "t1", "t2"], 2), BranchTree.separate(["t0", "t1", "t2"], 2)]
    recipe.write_text(RECIPE + "# changed\n")
    with pytest.raises(InputError, match="differs from the driver's") as failed:
        its.train([Request(tree, 1) for tree in trees])
    assert "\n" not in str(failed.value)


@pytest.mark.slow
@pytest.mark.usefixtures("local_ray")
def test_a_search_on_ray_finds_what_one_process_finds(recipe, tmp_path):
    (tmp_path / "processes").mkdir()
    changes = {"strategy.batch": 2, "data.processes": str(tmp_path / "processes")}
    found = nas.search(recipe, out=tmp_path / "ray", changes=changes)
    # This process, the trial's, and one of a task.
    assert len(list((tmp_path / "processes").iterdir())) >= 3
    experiment = load_recipe(recipe, changes)
    (trial,) = plan_trials(experiment)
    alone = RunFolder(tmp_path / "alone")
    result = run_trial(trial.experiment(experiment), trial, alone, resolve_device("cpu"))
    for name in ("metrics.jsonl", "curve.json", "transfer.json", "similarity.json", "diagnosis.json"):
        assert (found.trial(0).path / name).read_bytes() == (alone.trial(0).path / name).read_bytes(), name
    assert found.trial(0).outcome == result


def test_an_experiment_without_a_recipe_file_is_refused(recipe, tmp_path):
    with pytest.raises(InputError, match="trees at a time, run in processes that import the recipe"):
        nas.search(load_recipe(recipe, {"strategy.batch": 2}), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_too_few_trainings_are_refused_before_ray_starts(recipe, tmp_path, capsys):
    changes = ("--set", "strategy.batch=2", "--set", "strategy.trainings=0.2")
    assert "allow" in refused(capsys, "search", recipe, "--out", tmp_path / "run", *changes)
    assert not (tmp_path / "run").exists()
