"""A search by parent choice on the way through the commands: watched, reported, explained, retrained, cut anew."""

import csv
import json
import re

import pytest
from small_search import RECIPE, searched

import nas
from nas.cli.main import run


def tags(folder):
    """By tag of TensorBoard, the steps."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [event.step for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "small.py"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def folder(recipe, tmp_path_factory):
    """A run with two nodes at the first block and three at the others."""
    changes = {"strategy": "parent_choice", "strategy__nodes": [2, 3, 3], "strategy__epochs": 3}
    changes |= {"strategy__batch_size": 16, "strategy__logits__lr": 0.3, "trials__logs": ["tensorboard", "csv"]}
    return searched(tmp_path_factory.mktemp("run") / "run", recipe, **changes)


def test_the_report_shows_nodes_of_every_block(folder):
    page = (folder.path / "report.html").read_text()
    assert "Which node each task descends from" in page
    assert "How often two tasks descend from the same node" in page
    frames = json.loads(re.search(r'id="frames">(.*?)</script>', page)[1])["frames"]
    assert len(frames) == 3
    record = folder.trial(0).history[-1]
    shown = [round(100 * p) for block in record["probabilities"] for row in block for p in row]
    assert frames[-1] == shown
    assert len(shown) == 4 * (2 + 3 + 3)
    # Every bar has its own number.
    starts = [int(start) for start in re.findall(r'data-start="(\d+)"', page)]
    assert sorted(starts) == sorted([2 * t for t in range(4)] + [8 + 3 * i for i in range(8)])


def test_logs_have_every_number(folder):
    found = tags(folder.path / "trials/0/tensorboard")
    assert found["weights/total"] == [1, 2, 3]
    assert {"entropy/2", "probabilities/0/3/1", "probabilities/2/3/2"} <= found.keys()
    (first, *_) = csv.DictReader((folder.path / "trials/0/metrics.csv").read_text().splitlines())
    assert float(first["expected_cost"]) > 0


def test_watch_shows_the_run(folder, capsys):
    assert run(["watch", str(folder.path), "--once"]) == 0
    assert "epoch" in capsys.readouterr().out


def test_the_trees_are_explained_by_common_nodes(folder, capsys):
    explained = nas.explain(folder.path)
    (section,) = explained.evidence
    assert section.source == "parents"
    record = json.loads((folder.path / "trials/0/parents.json").read_text())
    for pair in section.pairs:
        s, t = (record["tasks"].index(task) for task in pair.tasks)
        for l, row in enumerate(pair.rows):
            later = record["together"][l + 1][s][t] if l < 2 else 0.0
            assert row["same"] == record["together"][l][s][t]
            assert row["chance"] == pytest.approx(later + (1 - later) / (2, 3, 3)[l])
    assert run(["explain", str(folder.path), "--tasks", "t0", "t1"]) == 0
    assert "they have the same node with probability" in capsys.readouterr().out


def test_other_budgets_and_a_retraining_from_inherited_weights(folder, recipe):
    nas.front(folder.path, budgets=[0.8], recipe=recipe)
    assert 0.8 in {point.budget for point in folder.front.points}
    result = nas.retrain(folder.path, start="inherited", recipe=recipe)
    assert set(result.test) == {"t0", "t1", "t2", "t3"}


def test_the_preset_is_the_published_setting(recipe, tmp_path, capsys):
    small = ["strategy.epochs=2", "strategy.batch_size=16", "goal.budgets=[]"]
    command = ["search", str(recipe), "--out", str(tmp_path / "run"), "--preset", "ltb"]
    assert run([*command, *(part for change in small for part in ("--set", change))]) == 0
    settings = json.loads((tmp_path / "run/experiment.json").read_text())["experiment"]["strategy"]["args"]
    assert (settings["discretize"], settings["nodes"], settings["logits"]["lr"]) == ("argmax", 3, 1e-7)
    capsys.readouterr()
    assert run([*command[:3], str(tmp_path / "other"), *command[4:]]) == 2
    assert "'argmax' cannot keep a budget" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("strategy.nodes=[2,2]", "strategy.nodes has 2 numbers, and the backbone 3 blocks"),
        ("strategy.nodes=0", "nodes"),
        ("strategy.temperature.end=1", "end is a setting of linear; root has none"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_the_search(recipe, tmp_path, capsys, change, message):
    command = ["search", str(recipe), "--out", str(tmp_path / "run"), "--strategy", "parent_choice"]
    command += ["--set", "strategy.temperature.kind=root"] if "temperature" in change else []
    assert run([*command, "--set", change]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()
