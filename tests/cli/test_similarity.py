"""Searches by similarity, alone and as a start of the gradient search, through the commands."""

import json
import time

import pytest
import torch
from separate_process import start_command
from small_digits import RECIPE, changes, refused

import nas
from nas.cli.main import run
from nas.engine.checkpoint import load_tensors
from nas.recipe import parse_overrides
from nas.run import RunFolder
from nas.strategies.diagnosis import Diagnosis

QUICK = {"strategy__epochs": 3, "strategy__batch_size": 32, "strategy__candidates": "plain"}
SIMILARITY = changes(strategy="similarity", **QUICK)
HYBRID = changes(
    strategy="gradient",
    strategy__warmup="null",
    strategy__init='{"epochs": 3, "batch_size": 32, "candidates": "plain"}',
    strategy__candidates="plain",
)
FILES = ("front.json", "trials/0/metrics.jsonl", "trials/0/curve.json", "trials/0/similarity.json")


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module", params=[SIMILARITY, HYBRID], ids=["similarity", "hybrid"])
def finished(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("similar") / "run"
    assert run(["search", RECIPE, "--out", str(folder), *request.param]) == 0
    return folder, request.param


def test_a_search_leaves_a_front_with_an_estimate_of_its_own_name(finished):
    folder, arguments = finished
    front = RunFolder(folder).front
    budgets = [point.budget for point in front.points]
    if arguments is HYBRID:
        assert budgets == [0.3, 0.9]
    else:
        # Its own choice costs no more than the largest budget allows. So short a search recommends no tree.
        assert sorted(budget or 0.0 for budget in budgets) == [0.0, 0.3, 0.9]
        (own,) = (point for point in front.points if point.budget is None)
        assert not any(point.recommended for point in front.points)
        assert len({point.withheld for point in front.points} - {None}) == 1
        assert own.cost["macs"] <= max(point.cost["macs"] for point in front.points if point.budget is not None)
        assert {point.quality.measure for point in front.points} == {
            "minus dissimilarity within groups (r2 of features)"
        }
    assert {point.quality.kind for point in front.points} == {"estimated"}
    diagnosis = Diagnosis.read(folder / "trials/0")
    assert [record.noise is None for record in diagnosis.margins] == [False] * len(diagnosis.margins)
    for point in front.points:
        assert point.confidence == diagnosis.confidence_within(point.budget)
        assert point.quality.std is None
    assert any(point.grade for point in front.points)
    curve = json.loads((folder / "trials/0/curve.json").read_text())
    assert {point.tree_id for point in front.points} <= {point["tree"] for point in curve["points"]}
    written = json.loads((folder / "trials/0/similarity.json").read_text())
    assert written["tasks"] == ["left", "right", "sum", "larger", "ink", "restore"]
    assert len(written["blocks"]) == 6
    history = [json.loads(line) for line in (folder / "trials/0/metrics.jsonl").read_text().splitlines()]
    phases = ["own copies"] * 3 + ([] if arguments is SIMILARITY else ["search"] * 2)
    assert [record["phase"] for record in history] == phases


def test_a_search_that_is_interrupted_ends_the_same(finished, tmp_path):
    whole, arguments = finished
    # Within the warm-up; or between the warm-up and the search.
    stopped_after = 1 if arguments is SIMILARITY else 3
    fields = parse_overrides(part for part in arguments if part != "--set")
    epochs = []

    def stop(event):
        epochs.extend([event] if event.kind == "epoch" else [])
        if len(epochs) == stopped_after:
            raise Interrupted

    folder = tmp_path / "run"
    with pytest.raises(Interrupted):
        nas.search(RECIPE, out=folder, changes=fields, on_event=stop)
    torch.manual_seed(99)
    rest = []
    nas.search(RECIPE, out=folder, resume=True, on_event=rest.append)
    assert sum(event.kind == "epoch" for event in rest) == (3 if arguments is SIMILARITY else 5) - stopped_after
    (started,) = [event for event in rest if event.kind == "started"]
    assert started.epochs_done == stopped_after
    for name in FILES:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    last = f"trials/0/checkpoint/epoch-000{3 if arguments is SIMILARITY else 2}.pt"
    ours, theirs = load_tensors(folder / last), load_tensors(whole / last)
    assert all(torch.equal(ours["supernet"][name], theirs["supernet"][name]) for name in theirs["supernet"])


def test_a_killed_search_ends_the_same(finished, tmp_path):
    whole, arguments = finished
    if arguments is SIMILARITY:
        pytest.skip("the hybrid is killed in the same warm-up")
    folder = tmp_path / "run"
    process = start_command("search", RECIPE, "--out", str(folder), *arguments)
    while process.is_alive() and not any(folder.glob("trials/0/*/epoch-0002.pt")):
        time.sleep(0.01)
    process.kill()
    process.join()
    assert run(["search", RECIPE, "--out", str(folder), "--resume"]) == 0
    for name in FILES:
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name


def test_check_tries_a_step(finished, capsys):
    _, arguments = finished
    assert run(["check", RECIPE, *arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report["losses"]) == {"left", "right", "sum", "larger", "ink", "restore"}
    assert report["seconds"] > 0
    assert report["disk_bytes"] > 0


def test_found_networks_inherit_what_was_trained(finished, capsys):
    folder, _ = finished
    tree = RunFolder(folder).front.points[0].tree_id
    assert run(["retrain", str(folder), "--tree", tree, "--from", "inherited", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["start"] == "inherited"


def test_copies_that_have_learned_nothing_recommend_no_tree(tmp_path, capsys):
    folder = tmp_path / "run"
    arguments = changes(strategy="similarity", **{**QUICK, "strategy__epochs": 1})
    assert run(["search", RECIPE, "--out", str(folder), *arguments]) == 0
    output = capsys.readouterr().out
    reason = next(line for line in output.splitlines() if line.startswith("recommended: "))
    assert "learned nothing: train longer (strategy.epochs)" in reason
    sentence = reason.removeprefix("recommended: no tree, since ")
    for command in (
        ["show"],
        ["retrain"],
        ["export", "--format", "bundle"],
        ["show", "--out", str(tmp_path / "x.png")],
    ):
        line = refused(capsys, command[0], folder, *command[1:])
        assert f"recommends no tree, since {sentence}; or name a tree with --tree TREE: " in line
    tree = RunFolder(folder).front.points[-1].tree_id
    assert run(["show", str(folder), "--tree", tree]) == 0
    assert f"! {sentence}" in capsys.readouterr().out.splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [1, 6])
def test_the_digits_recipe_recommends_a_tree_after_its_epochs_and_none_after_one(tmp_path, capsys, epochs):
    assert run(["search", RECIPE, "--out", str(tmp_path / "run"), "--set", f"strategy.epochs={epochs}"]) == 0
    output = capsys.readouterr().out
    best = RunFolder(tmp_path / "run").front.best
    assert (best is None) == (epochs == 1)
    assert ("sum" in output and "learned nothing" in output) == (epochs == 1)


def test_without_budgets_there_is_one_tree(tmp_path, capsys):
    folder = tmp_path / "run"
    arguments = changes(strategy="similarity", goal__budgets="[]", **{**QUICK, "strategy__epochs": 1})
    assert run(["search", RECIPE, "--out", str(folder), *arguments]) == 0
    (point,) = RunFolder(folder).front.points
    assert point.budget is None


def test_what_a_similarity_search_cannot_have_is_refused(capsys):
    asha = {"trials__scheduler": "asha", "trials__objectives": '["quality"]'}
    for fields, word in (({"strategy__discretize": "argmax"}, "discretize"), (asha, "Similarity has no losses")):
        assert word in refused(capsys, "check", RECIPE, *changes(strategy="similarity", **fields))
    assert "strategy.copies" in refused(capsys, "check", RECIPE, *changes(strategy="similarity", strategy__copies=0))
