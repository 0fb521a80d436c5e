"""What the README says works: its commands run, small, and so does its Python example."""

import re
import shlex
from pathlib import Path

import pytest
from datasets.fixtures_photos import write_photos

from nas.cli.main import run

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
SMALL = {
    "data.num_train": 64,
    "data.num_architecture": 64,
    "data.num_validation": 64,
    "data.num_test": 64,
    "retrain.epochs": 1,
    "compare.random_trees": 1,
    "compare.seeds": [0],
    "num_threads": 1,
}

# Own copies learn nothing from so few samples, and then no tree is recommended.
GRADIENT = {
    "strategy": "gradient",
    "strategy.epochs": 2,
    "strategy.batch_size": 32,
    "strategy.candidates": "plain",
}
MEASURED = {"goal.budgets": [0.5], "strategy.start.epochs": 1}


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [words[1:] for words in lines if words and words[0] == "tools/nas"]


def test_the_commands_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = commands()
    assert [words[0] for words in found] == [
        "search",
        "check",
        "data",
        "profile",
        "show",
        "report",
        "retrain",
        "evaluate",
        "compare",
        "init",
        "check",
        "search",
    ]
    write_photos(tmp_path / "photos", 40, size=(32, 32), column="weight")
    for words in found:
        own = words[:2] == ["check", "photos.py"]
        words = [str(ROOT / word) if word.startswith("runs/") and word.endswith(".py") else word for word in words]
        if own:
            words += ["--set", "backbone.width=0.25"]
        elif words[0] in ("search", "check"):
            fields = SMALL | (MEASURED if "--preset" in words else GRADIENT)
            words += [part for name, value in fields.items() for part in ("--set", f"{name}={value}")]
        assert run(words) == 0, words
    assert (tmp_path / "runs/out/measured/figures/transfer.png").is_file()
    assert (tmp_path / "tree.svg").is_file()
    for name in ("sheet.png", "predicted.png", "runs/out/first/report.html", "photos.py"):
        assert (tmp_path / name).is_file(), name


def test_the_example_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(example.strip().splitlines()) <= 25
    exec(compile(example, "README.md", "exec"), {})
    assert (tmp_path / "runs/out/example/front.json").is_file()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^)#:]+)\)", TEXT))))
def test_what_it_links_to_is_there(path):
    assert (ROOT / path).exists()
