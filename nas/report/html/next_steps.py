"""The commands that come after a report, for a shell, and the environment of its run."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from nas.files import read_json
from nas.report.html.known import Known


@dataclass(frozen=True)
class Command:
    """A command and what it is for."""

    purpose: str
    line: str


def commands(known: Known) -> list[Command]:
    """The commands for the recommended tree, or for the run if no tree is recommended."""
    path, best = str(known.run.path.resolve()), known.front.best
    # A run that was started from Python has no recipe file to read.
    recipe = [] if known.run.record["recipe"] else ["--recipe", "RECIPE"]
    steps: list[tuple[str, list[str]]] = []
    if best is not None:
        tree = ["--tree", best.tree_id]
        steps = [
            ("Train its network and measure it on the test split", ["retrain", path, *tree, *recipe]),
            (
                "Compare all trees with single-task networks, the shared tree and random trees",
                ["compare", path, *recipe],
            ),
            ("Export its trained network", ["export", path, *tree, "--format", "bundle", "--out", "model", *recipe]),
            ("Draw it", ["show", path, *tree, "--out", "tree.svg"]),
        ]
    steps += [
        ("Say why tasks share or part", ["explain", path]),
        ("Find the best tree for another budget, without training", ["front", path, "--budgets", "0.5", *recipe]),
        ("Write this report again", ["report", path]),
    ]
    return [Command(purpose, shlex.join(["nas", *words])) for purpose, words in steps]


def environment(known: Known) -> list[tuple[str, str]]:
    """The fields of ``environment.json`` and of the run's record, in words."""
    path = known.run.path / "environment.json"
    found = read_json(path) if path.is_file() else {}
    record = known.run.record
    rows = [("recipe", str(record["recipe"] or "none, started from Python"))]
    rows += [("changed by --set", f"{name} = {value}") for name, value in record["overrides"].items()]
    if isinstance(found, dict):
        rows += [(name.replace("_", " "), _words(value)) for name, value in found.items() if name != "schema_version"]
    return [*rows, ("run folder", str(Path(known.run.path).resolve()))]


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {version}" for name, version in value.items() if version is not None)
    return "not known" if value is None else str(value)
