"""One trial in this process: its time limit, its storage, and what is said of trials without a result."""

from pathlib import Path

import pytest
from small_digits import refused

pytest.importorskip("ray")

from nas import compare, search
from nas.errors import InputError, WorkFailed
from nas.launch import trials
from nas.launch.run_storage import RunStorage
from nas.run import RunFolder, TrialFailure, write_outcome
from nas.run.opened_run import begin_run, new_run

RECIPE = Path(__file__).with_name("toy_trials.py")


def files(folder):
    """Everything that a run leaves but its pictures and records of the machine, and when it was."""
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    kept = [name for name in names if name.name == "front.json" or name.parts[0] == "trials"]
    return {
        str(name): (folder / name).read_bytes() for name in kept if name.name[0] != "." and name.name != "begun.json"
    }


def test_a_time_limit_ends_a_single_trial_after_an_epoch_and_it_goes_on(tmp_path):
    events = []
    with pytest.raises(WorkFailed, match="the time limit left trial 0 unfinished"):
        search(RECIPE, out=tmp_path / "run", changes={"trials.time_limit": 1e-6}, on_event=events.append)
    assert [event.kind for event in events] == ["started", "epoch"]
    # One epoch at a time; after the last nothing is left to stop.
    for left in (True, True, False):
        if left:
            with pytest.raises(WorkFailed, match="time limit"):
                search(RECIPE, out=tmp_path / "run", resume=True)
        else:
            search(RECIPE, out=tmp_path / "run", resume=True)
    search(RECIPE, out=tmp_path / "whole")
    text = {name: path for name, path in files(tmp_path / "run").items() if not name.endswith(".pt")}
    assert text == {name: path for name, path in files(tmp_path / "whole").items() if not name.endswith(".pt")}


def test_processes_that_share_a_trial_have_no_time_limit(tmp_path, capsys):
    arguments = ("--set", "processes=2", "--set", "trials.time_limit=9")
    assert "leave it out" in refused(capsys, "search", RECIPE, "--out", tmp_path / "run", *arguments)


def test_storage_that_is_named_later_gets_what_there_is(tmp_path):
    search(RECIPE, out=tmp_path / "run")
    search(RECIPE, out=tmp_path / "run", resume=True, storage=str(tmp_path / "storage"))
    RunStorage(str(tmp_path / "storage"), "run").download(tmp_path / "fetched")
    assert files(tmp_path / "fetched") == files(tmp_path / "run")
    assert any(name.endswith(".pt") for name in files(tmp_path / "fetched"))


def test_how_an_earlier_attempt_ended_says_nothing_of_this_one(tmp_path, monkeypatch):
    run = new_run(RECIPE, tmp_path / "run", {"trials.seeds": 2, "trials.time_limit": 1})
    begin_run(run, RECIPE, {"trials.seeds": 2, "trials.time_limit": 1})
    folder = run.folder.trial(0)
    folder.make()
    write_outcome(folder.path, TrialFailure(cause="input", reason="bad data"))
    monkeypatch.setattr(trials, "_run_with_ray", lambda *arguments: {})
    with pytest.raises(WorkFailed, match="the time limit left trials 0, 1 unfinished"):
        trials.find_points(run, None, None, lambda event: None)


def test_trees_that_processes_of_a_cluster_cannot_reach_are_not_promised_to_be_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(trials, "check_processes", lambda *arguments: None)
    changes = {"processes": 2, "goal.measure": 1, "trials.storage_uri": str(tmp_path / "storage")}
    with pytest.raises(InputError, match="measure after the search"):
        search(RECIPE, out=tmp_path / "run", changes=changes, address="127.0.0.1:1")
    assert not (tmp_path / "run").exists()


def test_trees_of_other_backbones_are_not_compared_with_networks_of_the_recipes(tmp_path, monkeypatch):
    run = search(RECIPE, out=tmp_path / "run")
    monkeypatch.setattr(RunFolder, "changes_of", lambda self, tree: {"backbone.width": 8})
    with pytest.raises(InputError, match="for another backbone than the recipe's"):
        compare(run.path)
