"""The way through the system on real images, small: search, show, retrain, evaluate, compare."""

import csv
import json
from pathlib import Path

import pytest
from small_digits import RECIPE, changes

from nas.cli.main import run
from nas.tree import read_tree

TINY = changes(
    data__num_train=128,
    data__num_validation=64,
    data__num_test=64,
    strategy__epochs=3,
    goal__budgets=[0.3, 0.5, 0.9],
    retrain__epochs=2,
    compare__seeds=[0, 1],
)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits") / "run"
    assert run(["search", RECIPE, "--out", str(folder), *TINY]) == 0
    return folder


def json_of(capsys, *arguments):
    capsys.readouterr()
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_search_leaves_trees_within_their_budgets_and_their_pictures(searched, capsys):
    front = json.loads((searched / "front.json").read_text())
    separate = json_of(capsys, "profile", RECIPE)["separate"]["macs"]
    assert [point["budget"] for point in front["points"]] == [0.3, 0.5, 0.9]
    assert not all(point["dominated"] for point in front["points"])
    for point in front["points"]:
        tree = read_tree(searched / point["tree"])
        assert tree.cost == point["cost"]
        assert tree.cost["macs"] <= point["budget"] * separate
        assert point["quality"]["kind"] == "estimated"
        assert (searched / "figures" / f"{tree.id}.png").stat().st_size > 5000
    assert (searched / "figures" / "front.png").is_file()
    lines = (searched / "trials" / "0" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [0, 1, 2]
    checkpoints = {path.name for path in (searched / "trials" / "0" / "checkpoint").iterdir()}
    assert {"epoch-0003.pt", "epoch-0002.pt"} <= checkpoints


def test_profile_of_a_tree_equals_the_cost_in_its_file(searched, capsys):
    for path in sorted((searched / "trials" / "0" / "trees").iterdir()):
        cost = json_of(capsys, "profile", RECIPE, "--tree", str(path))["tree"]
        assert {name: cost[name] for name in ("macs", "params")} == read_tree(path).cost


def test_show_prints_and_draws(searched, tmp_path, capsys):
    tree = next((searched / "trials" / "0" / "trees").iterdir())
    assert run(["show", str(searched)]) == 0
    assert "share of separate networks" in capsys.readouterr().out
    assert run(["show", str(searched), "--tree", tree.stem[:5], "--out", str(tmp_path / "tree.svg")]) == 0
    assert "restore" in (tmp_path / "tree.svg").read_text()
    assert json_of(capsys, "show", str(tree)) == json.loads(tree.read_text())


def test_retrain_then_evaluate_gives_the_stored_result(searched, capsys):
    tree = json.loads((searched / "front.json").read_text())["points"][0]["tree"]
    name = Path(tree).stem
    for start in ("inherited", "fresh"):
        result = json_of(capsys, "retrain", str(searched), "--tree", name, "--from", start, "--seed", "3")
        checkpoint = next(searched.glob(f"retrained/{name}/{start}-3-*/checkpoint/epoch-000{result['best_epoch']}.pt"))
        drawn = searched / f"{start}.svg"
        measured = json_of(capsys, "evaluate", str(searched), "--checkpoint", str(checkpoint), "--out", str(drawn))
        assert "restore, predicted" in drawn.read_text()
        assert measured["measured"] == result["test"]
        # A second time nothing is trained.
        before = checkpoint.stat().st_mtime_ns
        assert json_of(capsys, "retrain", str(searched), "--tree", name, "--from", start, "--seed", "3") == result
        assert checkpoint.stat().st_mtime_ns == before


def test_compare_repeats_nothing_and_judges_by_single_tasks_of_the_same_seed(searched, capsys):
    result = json_of(capsys, "compare", str(searched))
    kinds = [row["kind"] for row in result["rows"]]
    assert kinds[:2] == ["single", "shared"]
    assert kinds.count("found") == kinds.count("random") >= 1
    assert result["rows"][0]["delta_m"] == 0.0
    costs = {row["name"]: row["cost"]["macs"] for row in result["rows"]}
    for row in result["rows"]:
        assert row["num_trainings"] == 2
        if row["kind"] == "found":
            assert 0.95 * row["cost"]["macs"] <= costs[f"random beside {row['name']}"] <= row["cost"]["macs"]
    with (searched / "compare" / "table.csv").open() as file:
        assert [float(line["delta_m"]) for line in csv.DictReader(file)] == [r["delta_m"] for r in result["rows"]]
    assert all((searched / "figures" / name).stat().st_size > 5000 for name in ("comparison.png", "gains.png"))
    written = {path: path.stat().st_mtime_ns for path in searched.glob("retrained/*/*/result.json")}
    assert json_of(capsys, "compare", str(searched)) == result
    assert {path: path.stat().st_mtime_ns for path in searched.glob("retrained/*/*/result.json")} == written


def test_check_looks_at_labels_and_takes_a_step(capsys):
    report = json_of(capsys, "check", RECIPE, *TINY, "--set", 'data.missing={"left": 0.5}')
    assert 0.3 < report["labels"]["train"]["left"]["coverage"] < 0.7
    assert {"coverage": 1.0, "min": 0, "max": 2}.items() <= report["labels"]["train"]["larger"].items()
    assert set(report["losses"]) == {"left", "right", "sum", "larger", "ink", "restore"}
    assert report["seconds"] > 0
    assert len(report["budgets"]) == 3


@pytest.mark.parametrize("source", [RECIPE, "digits", "scenes"])
def test_data_draws_a_sheet(source, tmp_path):
    assert run(["data", source, "--out", str(tmp_path / "sheet.png"), "--samples", "3"]) == 0
    assert (tmp_path / "sheet.png").stat().st_size > 10_000


def test_a_finished_run_is_not_searched_again(searched, capsys):
    before = (searched / "trials" / "0" / "metrics.jsonl").stat().st_mtime_ns
    front = json_of(capsys, "search", RECIPE, "--out", str(searched), "--resume")
    assert front["points"] == json.loads((searched / "front.json").read_text())["points"]
    assert (searched / "trials" / "0" / "metrics.jsonl").stat().st_mtime_ns == before
