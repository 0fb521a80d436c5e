"""The run folder: everything one command did, in one place that can be moved and read without running code."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from nas.checkpoint import CheckpointFolder
from nas.data import DataSource
from nas.discretize import Curve
from nas.errors import InputError, in_one_line
from nas.experiment.experiment import MAX_THREADS, Experiment
from nas.experiment.front import Front
from nas.experiment.outcome import Outcome, read_outcome
from nas.experiment.recipe import recipe_hash
from nas.experiment.record import describe
from nas.experiment.trial_plan import Trial
from nas.files import make_folder, read_json, remove_unfinished, write_json_atomically, write_text_atomically
from nas.tree import BranchTree, CostTable, read_tree, write_tree

_WAIT_FOR_WRITER = 30.0
"""Seconds; the processes of a killed command are gone within one or two."""


class RunFolder:
    """A run's experiment.json, environment.json, front.json, figures/, trials/<n>/ and retrained/<id>/."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def require_new(self) -> None:
        """InputError unless there is nothing at the folder's path, or an empty folder."""
        try:
            if self.path.exists() and not self.path.is_dir():
                raise InputError(f"{self.path}: is a file; --out names a folder")
            if self.begun:
                raise InputError(f"{self.path}: is not empty; name a new folder, or go on with --resume")
        except OSError as error:
            raise InputError(f"{self.path}: cannot be a run folder ({error.strerror})") from error

    def begin(
        self,
        experiment: Experiment,
        recipe: Path | None,
        changes: Mapping[str, Any],
        environment: Mapping[str, Any],
    ) -> None:
        """Make the folder, which must be new or empty, and write the record of the experiment into it."""
        record = {
            "schema_version": 1,
            "recipe": str(recipe.resolve()) if recipe else None,
            "recipe_sha256": recipe_hash(recipe) if recipe else None,
            "overrides": plain_changes(changes),
            "experiment": describe(experiment),
        }
        make_folder(self.path)
        # Of two commands that are started at once only one finds the folder empty.
        with self.locked():
            self.require_new()
            write_json_atomically(self.path / "environment.json", environment)
            write_json_atomically(self.path / "experiment.json", record)

    def change(self, experiment: Experiment, changes: Mapping[str, Any]) -> None:
        """Record that a resumed run has more trials, or other places for them, than it was begun with."""
        overrides = {**self.record["overrides"], **plain_changes(changes)}
        record = {**self.record, "overrides": overrides, "experiment": describe(experiment)}
        with self.locked():
            write_json_atomically(self.path / "experiment.json", record)

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
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= MAX_THREADS:
            raise InputError(f"{path}: num_threads must be an integer in 1..{MAX_THREADS}; found {number!r}")
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

    @property
    def begun(self) -> bool:
        """Whether the folder holds anything; a command that is killed at its start leaves the environment at most."""
        if not self.path.is_dir():
            return self.path.exists()
        return any(not entry.name.startswith(".") and entry.name != "environment.json" for entry in self.path.iterdir())

    def trial(self, number: int) -> "TrialFolder":
        return TrialFolder(self.path / "trials" / str(number))

    @property
    def trials(self) -> list["TrialFolder"]:
        """The trials that have been begun, by their numbers."""
        names = (path.name for path in (self.path / "trials").glob("*") if path.is_dir())
        return [self.trial(number) for number in sorted(int(name) for name in names if name.isdecimal())]

    def trial_of(self, tree: BranchTree) -> "TrialFolder | None":
        """The trial that found a tree, that of the best quality if several did; None if it is not the run's."""
        name = f"{tree.id}.json"
        found = [trial for trial in self.trials if (trial.path / "trees" / name).is_file()]
        if len(found) > 1 and self.finished:
            points = [point for point in self.front.points if point.tree_id == tree.id]
            best = max(points, key=lambda point: point.quality.value, default=None)
            return found[0] if best is None else self.trial(best.trial)
        return found[0] if found else None

    def experiment_of(self, tree: BranchTree, experiment: Experiment) -> Experiment:
        """The run's experiment with the backbone that a tree was found for, if trials had several."""
        return experiment.with_fields(self.changes_of(tree))

    def changes_of(self, tree: BranchTree) -> dict[str, Any]:
        """What distinguishes the experiment of a tree's network from the run's."""
        trial = self.trial_of(tree)
        values = {} if trial is None else trial.setting.values
        return {name: value for name, value in values.items() if _makes_networks(name)}

    def find_tree(self, name: str | None) -> BranchTree:
        """A tree by file, id or the beginning of an id; the best of the front if no name is given.

        The best is the non-dominated tree of highest quality.
        """
        if name is not None and (name.endswith(".json") or "/" in name):
            return read_tree(Path(name))
        files = {path.stem: path for path in sorted(self.path.glob("trials/*/trees/*.json"))}
        if name is None:
            return read_tree(self.path / self.front.best.tree)
        found = [path for stem, path in files.items() if stem.startswith(name)] if name else []
        if len(found) != 1:
            problem = "no tree" if not found else "more than one tree"
            raise InputError(f"{self.path}: {problem} {name!r}; its trees are {', '.join(files) or 'none yet'}")
        return read_tree(found[0])

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time; the lock ends with the process that holds it, however it ends.

        What a killed writer has left half-written is removed.
        """
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise InputError(f"{self.path}: another process is writing into this run") from None
        try:
            remove_unfinished(self.path)
            yield
        finally:
            lock.release()


class TrialFolder:
    """``trials/<n>/``: the metrics, checkpoints and trees of one search."""

    CHECKPOINTS = ("checkpoint", "warm-up")
    """The folders that hold nearly all of its bytes: of the search, and of an own-copy warm-up that comes before it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoints, self.warmup = (CheckpointFolder(path / name) for name in self.CHECKPOINTS)
        self.metrics = path / "metrics.jsonl"
        self.costs = path / "costs.json"

    def make(self) -> None:
        """Make the folder and those in it."""
        make_folder(self.path / "trees")

    @property
    def number(self) -> int:
        return int(self.path.name)

    @property
    def epochs_done(self) -> int:
        """Epochs that there is a checkpoint of, those of a warm-up included."""
        return sum(max(checkpoints.epochs(), default=0) for checkpoints in (self.warmup, self.checkpoints))

    @property
    def outcome(self) -> Outcome | None:
        """How the trial ended; None while it is not finished."""
        return read_outcome(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time (`locked_folder`)."""
        with locked_folder(self.path, "trial"):
            yield

    def write_setting(self, trial: Trial) -> None:
        """Which of the run's trials this is."""
        write_json_atomically(self.path / "trial.json", {"schema_version": 1, **trial.to_dict()})

    @property
    def setting(self) -> Trial:
        """Which of the run's trials this is; InputError if the record is missing or malformed."""
        path = self.path / "trial.json"
        record = read_json(path)
        try:
            number, budget, seed, values = (record[name] for name in ("number", "budget", "seed", "values"))
            trial = Trial(int(number), None if budget is None else float(budget), int(seed), dict(values))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: not the setting of a trial ({in_one_line(error)})") from error
        return trial

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


@contextmanager
def locked_folder(path: Path, what: str) -> Iterator[None]:
    """One writer at a time, for whom a moment is waited: one whose command was killed may still be ending."""
    make_folder(path)
    lock = FileLock(path / ".lock")
    try:
        lock.acquire(timeout=_WAIT_FOR_WRITER)
    except Timeout:
        raise InputError(f"{path}: another process is writing into this {what}") from None
    try:
        remove_unfinished(path)
        yield
    finally:
        lock.release()


def _makes_networks(name: str) -> bool:
    return name.partition(".")[0] in ("backbone", "input_shape")


def plain_changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changes as a run's record holds them, from which a resumed run makes them again."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(changes), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(f"changes of a run must be plain data; put anything else into the recipe ({error})") from error
    return plain


def default_folder(recipe: Path) -> Path:
    """``out/<recipe>/<time>`` beside the recipe; the second of a second gets a number."""
    time = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    folder = recipe.parent / "out" / recipe.stem
    names = chain([time], (f"{time}_{i}" for i in count(2)))
    return next(folder / name for name in names if not (folder / name).exists())


def latest_unfinished(recipe: Path) -> Path:
    """The newest default folder of a recipe whose search is not finished."""
    if not recipe.is_file():
        raise InputError(f"{recipe}: no such recipe")
    folder = recipe.parent / "out" / recipe.stem
    for path in sorted(folder.glob("*/experiment.json"), reverse=True):
        run = RunFolder(path.parent)
        # A recipe that is retrained with a tree file has a run of its own, without a search.
        retrained_only = (run.path / "retrained").exists() and not (run.path / "trials").exists()
        if not run.finished and not retrained_only:
            return run.path
    raise InputError(f"{folder}: no unfinished run to resume; start one without --resume")
