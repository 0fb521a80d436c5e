"""Trees that a search retrains: measured qualities, which go on where they were stopped."""

import json

import pytest
from small_digits import RECIPE, changes

import nas
from nas.cli.main import run
from nas.run import Front

BUDGETS = [0.3, 0.9]


class Stopped(BaseException):
    """Stands for whatever ends a process."""


def settings(**fields):
    small = {
        "data.num_train": 64,
        "data.num_architecture": 32,
        "data.num_validation": 32,
        "data.num_test": 32,
        "strategy.epochs": 2,
        "strategy.batch_size": 32,
        "strategy.candidates": "plain",
        "goal.budgets": BUDGETS,
        "retrain.epochs": 2,
        "num_threads": 1,
    }
    return {**small, **{name.replace("__", "."): value for name, value in fields.items()}}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    return nas.search(RECIPE, out=tmp_path_factory.mktemp("all") / "run", changes=settings(goal__measure="all"))


def test_all_trees_have_measured_qualities_and_keep_their_estimates(measured):
    front = measured.front
    for point in front.points:
        assert (point.quality.kind, point.quality.measure) == ("measured", "minus validation loss, retrained")
        assert point.estimate.kind == "estimated"
        (folder,) = (measured.path / "retrained" / point.tree_id).iterdir()
        best = json.loads((folder / "result.json").read_text())["best_epoch"]
        epochs = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        assert point.quality.value == -epochs[best - 1]["validation"]["total"]
        assert point.quality.value == max(-epoch["validation"]["total"] for epoch in epochs)
    assert [point.recommended for point in front.points].count(True) == 1
    assert (measured.path / "figures" / "front.png").is_file()


def test_retraining_a_measured_tree_repeats_nothing(measured):
    before = {path: path.stat().st_mtime_ns for path in measured.path.glob("retrained/*/*/result.json")}
    result = nas.retrain(measured.path)
    assert result.tree_id == measured.front.best.tree_id
    assert {path: path.stat().st_mtime_ns for path in measured.path.glob("retrained/*/*/result.json")} == before


def test_a_stopped_measurement_goes_on_to_the_same_front(measured, tmp_path):
    count = 0

    def stop_at_the_second(_: object) -> None:
        nonlocal count
        count += 1
        if count == 2:
            raise Stopped

    out = tmp_path / "run"
    with pytest.raises(Stopped):
        nas.search(RECIPE, out=out, changes=settings(goal__measure="all"), on_training_epoch=stop_at_the_second)
    assert not (out / "front.json").exists()
    names = []
    resumed = nas.search(RECIPE, out=out, resume=True, on_training=lambda progress: names.append(progress.name))
    assert resumed.front == measured.front
    assert len(names) == len({point.tree_id for point in measured.front.points})


def test_the_best_by_estimate_are_measured_and_the_others_are_not(measured, tmp_path, capsys):
    out = tmp_path / "run"
    assert run(["search", RECIPE, "--out", str(out), *changes(goal__budgets=BUDGETS, goal__measure=1)]) == 0
    front = Front.read(out / "front.json")
    trained = {path.name for path in (out / "retrained").iterdir()}
    assert len(trained) == 1
    best = max((point.estimate or point.quality).value for point in front.points)
    for point in front.points:
        assert (point.quality.kind == "measured") == (point.tree_id in trained)
        if point.quality.kind == "measured":
            assert point.estimate.value == best
    output = capsys.readouterr()
    assert f"recommended: {front.best.tree_id}" in output.out
    assert f"[1/1] measure {front.best.tree_id}, seed 0: 1 epochs to go" in output.err


@pytest.mark.parametrize("value", ["0", "-1", "best", "1.5", "true"])
def test_measure_is_none_all_or_a_number(value, tmp_path, capsys):
    assert run(["search", RECIPE, "--out", str(tmp_path / "run"), *changes(goal__measure=value)]) == 2
    assert "goal.measure" in capsys.readouterr().err


def test_teachers_are_trained_first_and_once(tmp_path):
    names = []
    distilled = settings(goal__budgets=[0.9], goal__measure=1, retrain__distill={"weight": 1.0}, retrain__epochs=1)
    nas.search(
        RECIPE, out=tmp_path / "run", changes=distilled, on_training=lambda progress: names.append(progress.name)
    )
    kinds = [name.split()[0] for name in names]
    assert kinds == ["teacher"] * 6 + ["measure"]
    assert len(set(names)) == 7
