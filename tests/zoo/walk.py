"""The way of one recipe through every command, with the numbers that have to agree on it."""

import csv
import json
from pathlib import Path

import numpy as np
import torch

from nas.cli.main import run
from nas.run import RunFolder

FORMATS = {"bundle": "bundle", "onnx": "model.onnx", "pt2": "model.pt2"}
COMMANDS = (
    "check", "search", "gradient", "front", "explain", "retrain", "evaluate", "compare", *FORMATS,
    *(f"predict {name}" for name in FORMATS)
)  # fmt: skip


class Walk:
    """Runs the commands in a folder and keeps what each said; `statuses` has their exit statuses by name."""

    def __init__(self, folder: Path, kind: str, name: str, capsys) -> None:
        self.folder, self.capsys = folder, capsys
        self.recipe = folder / "recipe.py"
        self.recipe.write_text(
            f"from zoo.experiments import {kind}_experiment\n\n\ndef experiment():\n"
            f"    return {kind}_experiment({name!r})\n"
        )
        self.statuses: dict[str, int] = {}
        self.error = ""
        self.output = ""

    def do(self, step: str, *arguments: object) -> int:
        """Run one command: its exit status; a status of 2 comes with one line on standard error."""
        self.capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        said = self.capsys.readouterr()
        self.output, self.error = said.out, said.err
        self.statuses[step] = status
        assert status in (0, 2), f"{step}: {said.err}"
        errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
        assert len(errors) == (status == 2), f"{step}: {said.err}"
        assert "Traceback" not in said.err
        return status

    @property
    def refusal(self) -> str:
        """The line with which the last command was refused."""
        return next(line for line in self.error.splitlines() if line.startswith("error: "))

    def json(self, step: str, *arguments: object) -> dict:
        assert self.do(step, *arguments, "--json") == 0, f"{step}: {self.error}"
        return json.loads(self.output)

    def check(self) -> int:
        return self.do("check", "check", self.recipe)

    def search(self, out: str, *more: str) -> int:
        return self.do(out, "search", self.recipe, "--out", self.folder / out, *more)

    def gradient(self) -> int:
        return self.search("gradient", "--set", "strategy=gradient")

    def rest(self, not_exported: tuple[str, ...] = ()) -> None:
        """All commands after a search, and that they agree."""
        where = self.folder / "search"
        assert self.search("search") == 0, self.error
        assert self.gradient() == 0, self.error
        # Cut from the gradient search, since `compare` trains every tree of the other one.
        points = self.json("front", "front", self.folder / "gradient", "--budgets", "1")["asked"]
        assert {point["budget"] for point in points} == {1.0}
        assert self.do("explain", "explain", where) == 0, self.error
        # So short a search may recommend no tree.
        tree = ("--tree", RunFolder(where).front.points[0].tree_id)
        trained = self.json("retrain", "retrain", where, *tree)["test"]
        agree(self.json("evaluate", "evaluate", where)["measured"], trained, 1e-5)
        assert self.do("compare", "compare", where) == 0, self.error
        inputs = self.folder / "inputs.npy"
        np.save(inputs, np.stack([x.numpy() for x, _ in self._samples()]))
        predictions = {}
        for name, file in FORMATS.items():
            status = self.do(name, "export", where, *tree, "--format", name, "--out", self.folder / file)
            assert (status == 2) == (name in not_exported), f"{name}: {self.error}"
            if status == 0:
                predictions[name] = self._predict(name, file, inputs)
        for found in predictions.values():
            assert found.keys() == predictions["bundle"].keys()
            assert found
            for key, array in predictions["bundle"].items():
                # Runtimes in single precision, whose results the export compared with the network's already.
                np.testing.assert_allclose(found[key], array, rtol=1e-3, atol=1e-4)

    def _samples(self):
        from nas.recipe import load_recipe

        return load_recipe(self.recipe).data().split("test")[:3]

    def _predict(self, name: str, file: str, inputs: Path) -> dict[str, np.ndarray]:
        out = self.folder / f"predicted-{name}"
        own = ["--recipe", self.recipe] if name == "bundle" else []
        assert self.do(f"predict {name}", "predict", self.folder / file, inputs, "--out", out, *own) == 0, self.error
        found = {}
        if (out / "predictions.csv").is_file():
            with open(out / "predictions.csv", newline="") as table:
                for row in csv.DictReader(table):
                    sample = row.pop("name")
                    found |= {f"{sample}/{key}": np.array(value, dtype=float) for key, value in row.items()}
        for path in sorted(out.glob("*.npz")):
            with np.load(path) as arrays:
                found |= {f"{path.stem}/{key}": arrays[key] for key in arrays.files}
        return found


def agree(found, wanted, tolerance) -> None:
    """Losses and metrics by task are equal within a share, or both have no value."""
    assert found.keys() == wanted.keys()
    for task, values in wanted.items():
        for name, value in values.items():
            if value is None:
                assert found[task][name] is None
            else:
                torch.testing.assert_close(found[task][name], value, rtol=tolerance, atol=tolerance)
