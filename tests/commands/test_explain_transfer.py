"""`nas explain` after a measured search: sentences, tables, plain data and the picture."""

import json

import pytest
from measured_runs import HELP, SEPARATE, SHARED, TASKS, TREE, a_measured_run, measured, planted_gain, trainings
from small_digits import refused
from small_search import RECIPE, searched

import nas
from nas.cli.main import run
from nas.strategies.transfer.gains import Gain

MODEL, RECORD = measured()


@pytest.fixture
def folder(tmp_path):
    return a_measured_run(tmp_path / "run", RECORD, (TREE, SHARED))


def test_the_sums_are_those_that_were_planted(folder):
    (section,) = nas.explain(folder, tree=TREE.id).evidence
    assert section.source == "transfer"
    pairs = {pair.tasks: pair.summary for pair in section.pairs}
    # 4 / 3 in the group of three at the first block, and 4 / 2 at two blocks; 3 * 4 / 2 if they shared alone.
    together = pairs["depth", "normals"]
    assert together["shared"] == "3 of 3"
    # Results of all trees, with errors of 0.05.
    assert together["first"].mean == pytest.approx(4 / 3 + 4, abs=0.1)
    assert together["first, all"].mean == pytest.approx(6, abs=0.1)
    assert together["second"].certainty == "certain"
    assert pairs["normals", "edge"]["shared"] == "1 of 3"
    assert pairs["normals", "edge"]["first, all"].mean == pytest.approx(-4.5, abs=0.15)
    assert HELP["edge", "depth"] == 0.0
    assert abs(pairs["depth", "edge"]["second"].mean) < 0.1
    for task in TASKS:
        assert section.gains[task].mean == pytest.approx(planted_gain(TREE, task), abs=0.15)


def test_it_prints_sentences_for_named_tasks_and_a_row_for_every_pair(folder, capsys):
    (section,) = nas.explain(folder, tree=TREE.id).evidence
    sentence = section.pairs[0].sentence
    assert sentence.startswith("sharing early to late with normals helps depth by 6.")
    command = ["explain", str(folder), "--tree", TREE.id]
    assert run([*command, "--tasks", "depth", "normals"]) == 0
    text = capsys.readouterr().out
    assert sentence in text
    assert "depth gains" in text
    assert "normals gains" in text
    assert f"by trainings of {len(trainings())} trees, whose results vary by" in text
    assert run(command) == 0
    text = capsys.readouterr().out
    assert all(f"{first}, {second}" in text for first, second in (pair.tasks for pair in section.pairs))
    assert str(section.gains["edge"]) in text
    assert f"{section.pairs[0].summary['first'].amount}**" in text
    assert "0 of 3" not in text


def test_tasks_that_share_nothing_have_empty_cells(folder, capsys):
    assert run(["explain", str(folder), "--tree", "separate"]) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "depth, edge" in line)
    assert row.split()[2:5] == ["0", "of", "3"]
    assert row.count("±") == 2


def test_json_has_the_numbers_of_the_picture(folder, capsys):
    assert run(["explain", str(folder), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    panels = nas.explain(folder).transfer.panels
    assert [panel["name"] for panel in record["transfer"]["panels"]] == [panel.name for panel in panels]
    for written, panel in zip(record["transfer"]["panels"], panels, strict=True):
        found = [[None if gain is None else Gain(*gain) for gain in row] for row in written["gains_TT"]]
        assert found == [list(row) for row in panel.gains_TT]
    (section,) = record["evidence"]
    rows = section["pairs"][0]["rows"]
    assert rows[1]["first"] == record["transfer"]["panels"][1]["gains_TT"][0][1]
    assert section["gains"].keys() == set(TASKS)


def test_a_tree_that_the_search_does_not_know_has_no_gains(tmp_path):
    record = RECORD.model_copy(update={"gains": {SEPARATE.id: RECORD.gains[SEPARATE.id]}})
    (section,) = nas.explain(a_measured_run(tmp_path / "run", record)).evidence
    assert section.gains == {}
    assert "it neither trained this tree nor found it on its curve" in section.about


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_it_draws_the_map(folder, tmp_path, suffix, capsys):
    out = tmp_path / f"map.{suffix}"
    assert run(["explain", str(folder), "--out", str(out)]) == 0
    assert out.stat().st_size > 1000


def test_what_cannot_be_drawn_or_read_is_refused(folder, tmp_path, capsys):
    assert "its suffix must be one of .png, .svg, .pdf" in refused(
        capsys, "explain", folder, "--out", tmp_path / "map.dot"
    )
    path = folder / "trials/0/transfer.json"
    path.write_text(json.dumps(RECORD.model_copy(update={"blocks": ("early", "late")}).model_dump()))
    assert "transfer.json: " in refused(capsys, "explain", folder)
    other = measured(blocks=("early", "middle", "late"))[1].model_copy(update={"tasks": ("depth", "normals", "parts")})
    path.write_text(json.dumps({**other.model_dump(), "gains": {}}))
    assert "the tasks depth, normals, parts" in refused(capsys, "explain", folder)
    path.unlink()
    assert "--out draws what a measured search learned" in refused(
        capsys, "explain", folder, "--out", tmp_path / "map.png"
    )
    assert not list(tmp_path.glob("map.*"))


def test_a_measured_search_draws_its_map_and_can_be_explained(tmp_path, capsys):
    recipe = tmp_path / "recipe.py"
    recipe.write_text(RECIPE)
    changes = {"trainings": 4, "start": None, "length": 0.5}
    folder = searched(
        *(tmp_path / "run", recipe),
        **{"strategy": "transfer", **{f"strategy__{name}": value for name, value in changes.items()}},
        retrain__epochs=2,
    )
    assert (folder.path / "figures/transfer.png").is_file()
    assert run(["explain", str(folder.path)]) == 0
    best = folder.front.best
    (section,) = nas.explain(folder.path).evidence
    mean = sum(gain.mean for gain in section.gains.values()) / len(section.gains)
    # The estimate of the front is the mean of the tasks' gains.
    assert mean == pytest.approx(best.quality.value, rel=1e-9, abs=1e-9)
    choice = nas.choose(folder.path, worst=1000)
    assert choice.chance == pytest.approx(1.0)
