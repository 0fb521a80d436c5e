"""The pictures of show, front, evaluate and data: looks, the difference of two trees, and what is refused."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
from small_digits import refused

from nas.cli.main import run


def texts(path):
    return {element.text for element in ElementTree.parse(path).iter() if element.tag.endswith("}text")}


def test_two_trees_are_compared_in_words_as_json_and_as_a_picture(a_run, tmp_path, capsys):
    words = ["show", str(a_run), "--tree", "separate", "--against", "shared"]
    assert run([*words, "--out", str(tmp_path / "pair.svg"), "--theme", "dark", "--transparent"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("separate: ")
    assert lines[1].startswith("shared: ")
    assert "100 % of all pairs" in lines[2]
    assert len(lines) == 4
    assert lines[3].endswith("in separate, share every block in shared")
    assert {"separate", "shared", lines[3]} <= texts(tmp_path / "pair.svg")
    assert run([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["differences"] == lines[3:]
    assert found["distance"] == 1.0
    assert run(["show", str(a_run), "--tree", "shared", "--against", "shared"]) == 0
    assert "both are the same tree" in capsys.readouterr().out


def test_two_tree_files_are_compared(a_run, tmp_path, capsys):
    for name in ("shared", "separate"):
        assert run(["show", str(a_run), "--tree", name, "--json"]) == 0
        (tmp_path / f"{name}.json").write_text(capsys.readouterr().out)
    assert run(["show", str(tmp_path / "shared.json"), "--against", str(tmp_path / "separate.json")]) == 0
    assert "100 % of all pairs" in capsys.readouterr().out
    line = refused(capsys, "show", tmp_path / "shared.json", "--against", tmp_path / "none.json")
    assert "--against" in line
    assert "none.json: no such file" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show", "RUN", "--theme", "dark"], "--theme is for a png, svg or pdf file; name one with --out FILE"),
        (["show", "RUN", "--transparent", "--out", "tree.dot"], "--transparent is for a png, svg or pdf file"),
        (["front", "RUN", "--transparent"], "--transparent is for a png, svg or pdf file"),
        (["explain", "RUN", "--theme", "light"], "--theme is for a png, svg or pdf file"),
        (["data", "digits", "--out", "folder", "--theme", "light"], "--theme is for a png, svg or pdf file"),
        (["evaluate", "RUN", "--samples", "3"], "--samples is how many samples are drawn; name a file with --out FILE"),
        (["show", "RUN", "--against", "shared", "--within", "0.5"], "--against compares the tree of --tree"),
        (["show", "RUN", "--against", "shared", "--out", "pair.dot"], "its suffix must be one of .png, .svg, .pdf"),
    ],
)
def test_what_would_be_ignored_is_refused(a_run, tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused(capsys, *(a_run if word == "RUN" else word for word in words))
    assert not list(tmp_path.iterdir())


def test_the_front_is_drawn_on_demand(a_run, tmp_path, capsys):
    assert run(["front", str(a_run), "--out", str(tmp_path / "front.svg"), "--theme", "dark"]) == 0
    found = texts(tmp_path / "front.svg")
    ids = {point["tree"].rsplit("/")[-1][:-5] for point in json.loads((a_run / "front.json").read_text())["points"]}
    assert ids & found
    assert "recommended" in found
