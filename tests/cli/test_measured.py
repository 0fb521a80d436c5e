"""A measured search through the commands: plans, refusals, interruptions, and that no epoch is trained twice."""

import json
import random
import time

import pytest
from measured_toy import RECIPE
from separate_process import start_command
from small_digits import refused

from nas.cli.main import run
from nas.run import RunFolder
from nas.run.evaluator import RunEvaluator

FILES = (
    "front.json",
    *(f"trials/0/{name}" for name in ("metrics.jsonl", "curve.json", "transfer.json", "diagnosis.json", "result.json")),
)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "recipe.py"
    path.write_text(RECIPE)
    return str(path)


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert run(["search", recipe, "--out", str(folder)]) == 0
    return folder


def trainings(folder):
    """Every training's record of epochs in a trial."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.glob("trials/0/trainings/*/*/metrics.jsonl")}


def test_a_search_is_killed_at_random_moments_and_ends_the_same(recipe, finished, tmp_path):
    folder, rng, command = tmp_path / "run", random.Random(0), ["search", recipe, "--out", str(tmp_path / "run")]
    for place in ("warm-up/epoch-*.pt", "trainings/*/*/checkpoint/epoch-*.pt"):
        process = start_command(*command)
        before = set(folder.glob(f"trials/0/{place}"))
        while process.is_alive() and not set(folder.glob(f"trials/0/{place}")) - before:
            time.sleep(0.005)
        time.sleep(rng.uniform(0.0, 0.2))
        process.kill()
        process.join()
        assert not (folder / "front.json").exists()
        command = ["search", recipe, "--out", str(folder), "--resume"]
    assert run(command) == 0
    for name in FILES:
        assert (folder / name).read_bytes() == (finished / name).read_bytes(), name
    assert trainings(folder) == trainings(finished)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_search_that_is_killed_again_and_again_ends_the_same(seed, recipe, finished, tmp_path):
    folder, rng, command = tmp_path / "run", random.Random(seed), ["search", recipe, "--out", str(tmp_path / "run")]
    for _ in range(6):
        process = start_command(*command)
        process.join(timeout=rng.uniform(0.5, 6.0))
        process.kill()
        process.join()
        if folder.exists():
            command = ["search", recipe, "--out", str(folder), "--resume"]
    assert run(command) == 0
    for name in FILES:
        assert (folder / name).read_bytes() == (finished / name).read_bytes(), name


def test_a_search_trains_no_epoch_twice_and_retraining_continues_from_it(recipe, tmp_path, epochs):
    folder, scratch = tmp_path / "run", tmp_path / "scratch"
    assert run(["search", recipe, "--out", str(folder)]) == 0
    assert len(set(epochs)) == len(epochs)
    trained = {path.parts[3]: len(data.splitlines()) for path, data in trainings(folder).items()}
    assert sum(trained.values()) == len(epochs)
    for tree in trained:
        before = len(epochs)
        tree_file = next(folder.glob(f"trials/0/trainings/{tree}/*/tree.json"))
        assert run(["retrain", str(folder), "--tree", str(tree_file)]) == 0
        assert epochs[before:] == [(tree, epoch) for epoch in range(trained[tree], 5)]
    best = RunFolder(folder).front.best.tree_id
    tree_file = str(next(folder.glob(f"trials/0/trainings/{best}/*/tree.json")))
    assert run(["retrain", recipe, "--tree", tree_file, "--out", str(scratch)]) == 0
    (ours,), (theirs,) = (list(place.glob(f"retrained/{best}/*")) for place in (folder, scratch))
    for name in ("result.json", "metrics.jsonl"):
        assert (ours / name).read_bytes() == (theirs / name).read_bytes()


def test_a_retraining_that_continues_and_is_killed_needs_resume(recipe, finished, tmp_path):
    import shutil

    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    short = next(
        path for path in folder.glob("trials/0/trainings/*/*/metrics.jsonl") if len(path.read_text().splitlines()) == 2
    )
    command = ["retrain", str(folder), "--tree", str(short.parent / "tree.json"), "--recipe", recipe]
    process = start_command(*command)
    while process.is_alive() and not list(folder.glob("retrained/*/*/checkpoint/epoch-0003.pt")):
        time.sleep(0.002)
    process.kill()
    process.join()
    if not list(folder.glob("retrained/*/*/result.json")):
        assert run(command) == 2
    assert run([*command, "--resume"]) == 0
    (result,) = folder.glob("retrained/*/*/result.json")
    assert json.loads(result.read_text())["num_epochs"] == 5


def test_further_budgets_are_cut_without_training(recipe, finished, tmp_path, epochs, capsys):
    import shutil

    folder = tmp_path / "run"
    shutil.copytree(finished, folder)
    before = RunFolder(folder).front
    assert run(["front", str(folder), "--recipe", recipe, "--budgets", "0.8"]) == 0
    after = RunFolder(folder).front
    assert {point.budget for point in after.points} == {0.7, 0.8, 0.95, None}
    assert [point for point in after.points if point.budget in (0.7, 0.95)] == [
        point for point in before.points if point.budget in (0.7, 0.95)
    ]
    assert epochs == []


def test_check_predicts_the_time(recipe, capsys, monkeypatch):
    # An epoch takes a second, whatever the machine does meanwhile.
    monkeypatch.setattr(RunEvaluator, "seconds_per_epoch", lambda *_: 1.0)
    reports = []
    for fields in (
        ("strategy.trainings=4", "strategy.start=null"),
        ("strategy.trainings=40", "strategy.start=null"),
        (),
    ):
        capsys.readouterr()
        assert run(["check", recipe, *(word for field in fields for word in ("--set", field)), "--json"]) == 0
        reports.append(json.loads(capsys.readouterr().out))
    assert reports[1]["seconds"] == pytest.approx(10 * reports[0]["seconds"], rel=1e-9)  # rounding of one product
    assert reports[0]["seconds"] > 0.0
    assert set(reports[2]["losses"]) == {"t0", "t1", "t2"}


def test_hours_plan_the_trainings_and_are_kept(recipe, tmp_path, capsys):
    folder = tmp_path / "run"
    start = time.monotonic()
    assert run(["search", recipe, "--out", str(folder), "--hours", "0.001"]) == 0
    errors = capsys.readouterr().err
    assert "0.001 hours are planned as" in errors
    changes = json.loads((folder / "experiment.json").read_text())["overrides"]
    assert changes["strategy.hours"] == 0.001
    assert changes["strategy.trainings"] > 1.0
    seconds = [json.loads(path.read_text())["by_epochs"] for path in folder.glob("trials/0/trainings/*/*/seconds.json")]
    # The last training may take longer than those before.
    assert sum(max(each.values()) for each in seconds) < 2.0 * 3.6
    assert time.monotonic() - start < 120.0
    # A run that is resumed keeps its plan.
    assert run(["search", recipe, "--out", str(folder), "--resume", "--hours", "0.001"]) == 0
    assert "cannot change a run" in refused(capsys, "search", recipe, "--out", folder, "--resume", "--hours", "0.5")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--trainings", "0.5"), "allow"),
        (("--trainings", "0"), "strategy.trainings"),
        (("--trainings", "nan"), "strategy.trainings"),
        (("--hours", "0"), "--hours must be positive"),
        (("--hours", "nan"), "--hours must be positive"),
        (("--hours", "inf"), "--hours must be positive"),
        (("--hours", "1e-9"), "--hours: 1e-09 hours are too little"),
        (("--hours", "1", "--trainings", "3"), "give one"),
        (("--hours", "1", "--preset", "quick"), "use --preset measured"),
        (("--preset", "quick", "--trainings", "3"), "no field 'trainings'"),
        (("--preset", "measured", "--strategy", "similarity"), "leave --strategy similarity out"),
        (("--preset", "measured", "--set", "strategy=similarity"), "--set strategy: another option sets this field"),
        (("--trainings", "3", "--set", "strategy.trainings=4"), "--set strategy.trainings: another option"),
        (("--preset", "best"), "best"),
        (("--set", "processes=2"), "Transfer does not share batches"),
        (("--set", "strategy.length=1.5"), "strategy.length"),
        (("--set", "strategy.start=gradient"), "strategy.start"),
        (("--set", "data.fault=validation"), "t1"),
        (("--set", "data.fault=train"), "t1"),
    ],
)
def test_wrong_settings_are_refused_before_a_folder_is_made(arguments, words, recipe, tmp_path, capsys):
    assert words in refused(capsys, "search", recipe, "--out", tmp_path / "run", *arguments)
    assert not (tmp_path / "run").exists()


def test_the_preset_searches_from_the_recipes_similarity(tmp_path, capsys):
    """`--preset measured` on a recipe with another strategy keeps the settings of its similarity search."""
    from small_search import RECIPE as OTHER

    recipe = tmp_path / "recipe.py"
    recipe.write_text(OTHER)
    command = ["search", str(recipe), "--out", str(tmp_path / "run"), "--preset", "measured", "--trainings", "6"]
    assert run([*command, "--set", "retrain.epochs=3", "--set", "strategy.chance=0.99"]) == 0
    record = json.loads((tmp_path / "run/experiment.json").read_text())["experiment"]["strategy"]
    assert record["type"].endswith("Transfer")
    assert record["args"]["trainings"] == 6.0
    assert record["args"]["start"]["num_rows"] == 64


def test_a_training_that_diverges_is_one_line(recipe, tmp_path, capsys):
    changes = ("--set", "retrain.optimizer.lr=1e30", "--set", "retrain.optimizer.kind=sgd")
    assert run(["search", recipe, "--out", str(tmp_path / "run"), *changes]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "loss" in lines[0]
    failure = json.loads((tmp_path / "run/trials/0/failure.json").read_text())
    assert failure["cause"] == "work"
