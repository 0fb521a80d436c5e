"""The run folder: everything one command did, in one place that can be moved and read without running code."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from nas.errors import InputError
from nas.files import make_folder, read_json, write_json_atomically
from nas.limits import MAX_THREADS
from nas.run.begun_here import mark_begun
from nas.run.front import Front
from nas.run.recommendation import withheld_reason
from nas.run.trial_folder import TrialFolder, locked_folder
from nas.tree import BranchTree, CostTable, read_tree, write_tree

if TYPE_CHECKING:
    from nas.recipe import Experiment
    from nas.run.labels import LabelRecord

_MAX_PATH = 4096
"""Most characters in the path of a recipe."""


class RunFolder:
    """A run's experiment.json, environment.json, front.json, figures/, trials/<n>/, trees/ and retrained/<id>/."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def labels(self) -> LabelRecord:
        """What the labels of each split contain."""
        from nas.run.labels import LabelRecord

        return LabelRecord(self.path / "labels.json")

    def require_new(self) -> None:
        """InputError unless there is nothing at the folder's path, or an empty folder."""
        try:
            if self.path.exists() and not self.path.is_dir():
                raise InputError(f"{self.path}: is a file; `out` names a folder")
            if self.begun:
                raise InputError(f"{self.path}: is not empty; name a new folder, or continue with `resume=True`")
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
        from nas.recipe import describe, module_hashes, recipe_hash

        run_id = secrets.token_hex(16)
        record = {
            "schema_version": 1,
            "id": run_id,
            "number": 1 + max((run.number for run in self._beside()), default=0),
            "recipe": str(recipe.resolve()) if recipe else None,
            "recipe_sha256": recipe_hash(recipe) if recipe else None,
            "modules": module_hashes(recipe) if recipe else {},
            "overrides": plain_changes(changes),
            "experiment": describe(experiment),
        }
        make_folder(self.path)
        # If two commands start at once, only one of them finds the folder empty.
        with self.locked():
            self.require_new()
            write_json_atomically(self.path / "environment.json", environment)
            if recipe is not None:
                mark_begun(run_id, recipe)
            write_json_atomically(self.path / "experiment.json", record)
            self.labels.write()

    def change(self, experiment: Experiment, changes: Mapping[str, Any]) -> None:
        """Record changed fields of a resumed run: more trials, or other places where they run."""
        from nas.recipe import describe

        overrides = {**self.record["overrides"], **plain_changes(changes)}
        record = {**self.record, "overrides": overrides, "experiment": describe(experiment)}
        with self.locked():
            write_json_atomically(self.path / "experiment.json", record)

    @classmethod
    def open(cls, path: Path) -> Self:
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
            and len(record.get("recipe") or "") <= _MAX_PATH
            and isinstance(record.get("modules", {}), dict)
            and isinstance(record.get("experiment"), dict)
        )
        if not well_formed:
            raise InputError(f"{path / 'experiment.json'}: not the record of an experiment")
        return run

    @property
    def record(self) -> Any:
        return read_json(self.path / "experiment.json")

    @property
    def number(self) -> int:
        """The run's number among the runs in one parent folder, in the order of their beginnings; 0 if unknown."""
        try:
            number = self.record["number"]
        except (InputError, LookupError, TypeError):
            return 0
        return number if isinstance(number, int) else 0

    def _beside(self) -> list[RunFolder]:
        return [RunFolder(path.parent) for path in self.path.absolute().parent.glob("*/experiment.json")]

    @property
    def num_threads(self) -> int:
        """Number of threads that the run was started with; results are equal bit for bit only with this number."""
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
            raise InputError(
                f"{self.path}: has no front.json; finish its search: nas search RECIPE --out {self.path} --resume"
            )
        return Front.read(self.path / "front.json")

    @property
    def given_trees(self) -> list[Path]:
        """Files of the trees that no trial found: given to `retrain`, or pooled from several seeds; sorted by id."""
        return sorted((self.path / "trees").glob("*.json"))

    def keep_tree(self, tree: BranchTree, table: CostTable) -> Path:
        """Write a tree that no trial found, and the cost table if the run has no trials; returns the tree's file."""
        make_folder(self.path / "trees")
        path = self.path / "trees" / f"{tree.id}.json"
        write_tree(tree.with_cost(table), path)
        if not self.trials:
            write_json_atomically(self.costs, table.to_dict())
        return path

    @property
    def costs(self) -> Path:
        """The cost table of a run without trials; each trial has its own."""
        return self.path / "costs.json"

    @property
    def finished(self) -> bool:
        """Whether the search is finished; the front is the last file that it writes."""
        return (self.path / "front.json").is_file()

    @property
    def begun(self) -> bool:
        """Whether the folder holds a run; a command that is killed at its start leaves at most the environment."""
        if not self.path.is_dir():
            return self.path.exists()
        return any(not entry.name.startswith(".") and entry.name != "environment.json" for entry in self.path.iterdir())

    def trial(self, number: int) -> TrialFolder:
        return TrialFolder(self.path / "trials" / str(number))

    @property
    def trials(self) -> list[TrialFolder]:
        """The trials that have begun, in the order of their numbers."""
        names = (path.name for path in (self.path / "trials").glob("*") if path.is_dir())
        return [self.trial(number) for number in sorted(int(name) for name in names if name.isdecimal())]

    def trial_of(self, tree: BranchTree) -> TrialFolder | None:
        """The trial that found a tree (with the best quality if several did); None if no trial found it."""
        name = f"{tree.id}.json"
        found = [trial for trial in self.trials if (trial.path / "trees" / name).is_file()]
        if len(found) > 1 and self.finished:
            points = [point for point in self.front.points if point.tree_id == tree.id and not point.pooled]
            best = max(points, key=lambda point: point.quality.value, default=None)
            return found[0] if best is None else self.trial(best.trial)
        return found[0] if found else None

    def experiment_of(self, tree: BranchTree, experiment: Experiment) -> Experiment:
        """The run's experiment, with the backbone that the tree was found for if trials have different backbones."""
        return experiment.with_fields(self.changes_of(tree))

    def changes_of(self, tree: BranchTree) -> dict[str, Any]:
        """The changes that make the experiment of a tree's network from the run's."""
        trial = self.trial_of(tree)
        return {} if trial is None else trial.network_changes

    def find_tree(self, name: str | None = None) -> BranchTree:
        """A tree by its file, its id or the beginning of its id.

        Without a name it is the recommended tree of the front; in a run without a search, the only retrained tree.

        Raises:
            InputError: there is no such tree, or no tree is recommended.
        """
        if name is not None and (name.endswith(".json") or "/" in name):
            return read_tree(Path(name))
        files = {path.stem: path for path in [*sorted(self.path.glob("trials/*/trees/*.json")), *self.given_trees]}
        if name is None:
            return read_tree(self._only_given() if self.only_retrained else self._recommended(files))
        found = [path for stem, path in files.items() if stem.startswith(name)] if name else []
        if len(found) != 1:
            problem = "no tree" if not found else "more than one tree"
            raise InputError(f"{self.path}: {problem} {name!r}; its trees are {', '.join(files) or 'none yet'}")
        return read_tree(found[0])

    @property
    def only_retrained(self) -> bool:
        """Whether the run has no search, and only trees that were given to `retrain`."""
        return not self.finished and not self.trials and bool(self.given_trees)

    def _recommended(self, trees: Iterable[str]) -> Path:
        front = self.front
        if front.best is None:
            raise InputError(
                f"{self.path}: recommends no tree, since {withheld_reason(front)}; or name a tree with `tree=TREE`: "
                f"{', '.join(trees)}"
            )
        return self.path / front.best.tree

    def _only_given(self) -> Path:
        if len(self.given_trees) > 1:
            names = ", ".join(path.stem for path in self.given_trees)
            raise InputError(f"{self.path}: has several retrained trees ({names}); name one with `tree=TREE`")
        return self.given_trees[0]

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run's lock, so that only one process writes; the lock ends with the process.

        Unfinished files of a killed writer are removed.
        """
        # `nas watch` holds the lock for a moment when it looks whether a process is writing.
        with locked_folder(self.path, "run", wait=0.2):
            yield


def plain_changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Changes as plain data, as a run's record holds them for resumed runs."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(changes), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InputError(f"changes of a run must be plain data; put anything else into the recipe ({error})") from error
    return plain
