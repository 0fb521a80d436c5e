"""The run folder: everything one command did, in one place that can be moved and read without running code."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nas.checkpoint import CheckpointFolder
from nas.data import DataSource
from nas.discretize import Curve
from nas.errors import InputError
from nas.experiment.experiment import Experiment
from nas.experiment.front import Front
from nas.experiment.recipe import recipe_hash
from nas.experiment.record import describe
from nas.files import read_json, write_json_atomically, write_text_atomically
from nas.tree import BranchTree, CostTable, read_tree, write_tree


class RunFolder:
    """A run's experiment.json, environment.json, front.json, figures/, trials/<n>/ and retrained/<id>/."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(
        cls,
        path: Path,
        experiment: Experiment,
        recipe: Path | None,
        changes: Mapping[str, Any],
        environment: Mapping[str, Any],
    ) -> "RunFolder":
        """Make the folder, which must be new or empty, and write the record of the experiment into it."""
        if path.exists() and not path.is_dir():
            raise InputError(f"{path}: is a file; --out names a folder")
        if path.is_dir() and any(not entry.name.startswith(".") for entry in path.iterdir()):
            raise InputError(f"{path}: is not empty; name a new folder, or go on with --resume")
        try:
            path.mkdir(parents=True, exist_ok=True)
            run = cls(path)
            write_json_atomically(path / "environment.json", environment)
            write_json_atomically(
                path / "experiment.json",
                {
                    "schema_version": 1,
                    "recipe": str(recipe.resolve()) if recipe else None,
                    "recipe_sha256": recipe_hash(recipe) if recipe else None,
                    "overrides": dict(changes),
                    "experiment": describe(experiment),
                },
            )
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from error
        return run

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """An existing run folder.

        Raises:
            InputError: there is none, or its record is malformed.
        """
        if not path.is_dir():
            raise InputError(f"{path}: no such run folder")
        if not (path / "experiment.json").is_file():
            raise InputError(f"{path}: not a run folder, it has no experiment.json")
        run = cls(path)
        record = run.record
        well_formed = (
            isinstance(record, dict)
            and record.get("schema_version") == 1
            and isinstance(record.get("overrides"), dict)
            and isinstance(record.get("recipe"), str | None)
            and isinstance(record.get("experiment"), dict)
        )
        if not well_formed:
            raise InputError(f"{path / 'experiment.json'}: not the record of an experiment")
        return run

    @property
    def record(self) -> Any:
        return read_json(self.path / "experiment.json")

    @property
    def num_threads(self) -> int:
        """Number of threads the run was started with; what it repeats with, bit for bit."""
        path = self.path / "environment.json"
        environment = read_json(path)
        number = environment.get("num_threads") if isinstance(environment, dict) else None
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise InputError(f"{path}: num_threads must be a number >= 1; found {number!r}")
        return number

    @property
    def front(self) -> Front:
        """The front of a finished search."""
        if not self.finished:
            raise InputError(f"{self.path}: has no front.json; its search is not finished, go on with --resume")
        return Front.read(self.path / "front.json")

    @property
    def finished(self) -> bool:
        """Whether the search is done: its last act is to write the front."""
        return (self.path / "front.json").is_file()

    def trial(self, number: int) -> "TrialFolder":
        return TrialFolder(self.path / "trials" / str(number))

    def find_tree(self, name: str | None) -> BranchTree:
        """A tree by file, id or the beginning of an id; the best of the front if no name is given.

        The best is the non-dominated tree of highest quality.
        """
        if name is not None and (name.endswith(".json") or "/" in name):
            return read_tree(Path(name))
        files = {path.stem: path for path in sorted(self.path.glob("trials/*/trees/*.json"))}
        if name is None:
            points = [point for point in self.front.points if not point.dominated]
            return read_tree(self.path / max(points, key=lambda point: point.quality.value).tree)
        found = [path for stem, path in files.items() if stem.startswith(name)] if name else []
        if len(found) != 1:
            problem = "no tree" if not found else "more than one tree"
            raise InputError(f"{self.path}: {problem} {name!r}; its trees are {', '.join(files) or 'none yet'}")
        return read_tree(found[0])

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time; the lock ends with the process that holds it, however it ends."""
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise InputError(f"{self.path}: another process is writing into this run") from None
        try:
            yield
        finally:
            lock.release()


class TrialFolder:
    """``trials/<n>/``: the metrics, checkpoints and trees of one search."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints = CheckpointFolder(path / "checkpoint")
        self.metrics = path / "metrics.jsonl"
        self.costs = path / "costs.json"

    def make(self) -> None:
        """Make the folder and those in it."""
        (self.path / "trees").mkdir(parents=True, exist_ok=True)

    def write_metrics(self, history: Sequence[Mapping[str, Any]]) -> None:
        """One line of JSON per finished epoch."""
        write_text_atomically(self.metrics, "".join(json.dumps(record) + "\n" for record in history))

    def write_tree(self, tree: BranchTree) -> Path:
        path = self.path / "trees" / f"{tree.id}.json"
        write_tree(tree, path)
        return path

    def write_splits(self, data: DataSource) -> None:
        """Which samples are in which split, for a source that says so (``describe_splits() -> {split: ids}``)."""
        describe = getattr(data, "describe_splits", None)
        if describe is not None and (splits := describe()):
            write_json_atomically(self.path / "splits.json", splits)

    def write_curve(self, curve: Curve) -> None:
        """The whole curve: every tree that no other beats in cost and value, with its partitions."""
        points = [
            {"cost": point.cost, "value": point.value, "tree": point.tree.id, "partitions": point.tree.partitions}
            for point in curve
        ]
        record = {"schema_version": 1, "resource": curve.resource, "exact": curve.exact, "points": points}
        write_json_atomically(self.path / "curve.json", record)

    def write_costs(self, table: CostTable) -> None:
        write_json_atomically(self.costs, table.to_dict())


def default_folder(recipe: Path) -> Path:
    """``out/<recipe>/<time>`` beside the recipe."""
    return recipe.parent / "out" / recipe.stem / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")


def latest_unfinished(recipe: Path) -> Path:
    """The newest default folder of a recipe whose search is not finished."""
    folder = recipe.parent / "out" / recipe.stem
    runs = sorted((path for path in folder.glob("*") if (path / "experiment.json").is_file()), reverse=True)
    for path in runs:
        if not RunFolder(path).finished:
            return path
    raise InputError(f"{folder}: no unfinished run to resume; start one without --resume")
