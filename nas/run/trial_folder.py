"""The folder of one trial in a run folder, with all files of one search."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.errors import InputError, in_one_line
from nas.files import (
    MAX_BYTES,
    make_folder,
    read_json,
    read_record,
    remove_unfinished,
    require_writable,
    write_json_atomically,
    write_text_atomically,
)
from nas.lock import hold_lock
from nas.run.curve_record import CurveRecord
from nas.run.outcome import Outcome, read_outcome
from nas.run.trial_plan import Trial
from nas.tree import BranchTree, CostTable, write_tree

if TYPE_CHECKING:
    from nas.data import DataSource
    from nas.discretize import Curve
    from nas.run.part_shapes import Shapes
    from nas.strategies import Store

_WAIT_FOR_WRITER = 30.0
"""Seconds to wait for another writer to end; the processes of a killed command end within one or two."""


class TrialFolder:
    """``trials/<n>/``: the metrics, checkpoints and trees of one search."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metrics = path / "metrics.jsonl"
        self.costs = path / "costs.json"

    @cached_property
    def store(self) -> Store:
        """The checkpoints and records of the strategy."""
        from nas.strategies.store import Store

        return Store(self.path)

    def make(self) -> None:
        """Make the folder and its subfolder for trees."""
        make_folder(self.path / "trees")

    @property
    def number(self) -> int:
        return int(self.path.name)

    @property
    def epochs_done(self) -> int:
        """Number of epochs with a checkpoint, including those of a training before the search."""
        folders = (self.store.preparation, self.store.checkpoints)
        return sum(max(checkpoints.epochs(), default=0) for checkpoints in folders)

    @property
    def outcome(self) -> Outcome | None:
        """How the trial ended; None while it is not finished."""
        return read_outcome(self.path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the trial's lock, so that only one process writes (`locked_folder`)."""
        with locked_folder(self.path, "trial"):
            yield

    def write_setting(self, trial: Trial) -> None:
        """Write the trial's number, budget, seed and values."""
        write_json_atomically(self.path / "trial.json", {"schema_version": 1, **trial.to_dict()})

    @property
    def setting(self) -> Trial:
        """The trial that this folder belongs to; InputError if its record is missing or malformed."""
        path = self.path / "trial.json"
        record = read_json(path)
        try:
            number, budget, seed, values = (record[name] for name in ("number", "budget", "seed", "values"))
            trial = Trial(int(number), None if budget is None else float(budget), int(seed), dict(values))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: not the record of a trial ({in_one_line(error)})") from error
        return trial

    @property
    def network_changes(self) -> dict[str, Any]:
        """The changes that make the experiment of the trial's networks from the run's."""
        values = self.setting.values
        return {name: value for name, value in values.items() if name.partition(".")[0] in ("backbone", "input_shape")}

    def write_metrics(self, history: Sequence[Mapping[str, Any]]) -> None:
        """One line of JSON per finished epoch."""
        write_text_atomically(self.metrics, "".join(json.dumps(record) + "\n" for record in history))

    @property
    def history(self) -> list[dict[str, Any]]:
        """The records of the finished epochs; InputError if the file is malformed."""
        return _read_lines(self.metrics) if self.metrics.is_file() else []

    def write_tree(self, tree: BranchTree) -> Path:
        path = self.path / "trees" / f"{tree.id}.json"
        write_tree(tree, path)
        return path

    def write_splits(self, data: DataSource) -> None:
        """Write which samples are in which split, if the data have a method ``describe_splits() -> {split: ids}``."""
        describe = getattr(data, "describe_splits", None)
        if describe is not None and (splits := describe()):
            write_json_atomically(self.path / "splits.json", splits)

    def write_curve(self, curve: Curve) -> None:
        """Write the curve: every tree that no other tree beats in cost and value, with its partitions."""
        write_json_atomically(self.path / "curve.json", CurveRecord.of(curve).model_dump())

    @property
    def curve(self) -> CurveRecord | None:
        """The curve of the search; None if it has none, InputError if its file is malformed."""
        path = self.path / "curve.json"
        return read_record(path, CurveRecord) if path.is_file() else None

    def write_costs(self, table: CostTable, shapes: Shapes | None = None, uncounted: Sequence[str] = ()) -> None:
        """Write the cost table of the trial's networks, the shapes of their tensors (`part_shapes`), and the operators
        that costs in MACs lack."""
        more = ({} if shapes is None else {"shapes": shapes}) | ({"uncounted": list(uncounted)} if uncounted else {})
        write_json_atomically(self.costs, table.to_dict() | more)

    @property
    def uncounted(self) -> list[str]:
        """The operators that the costs in MACs lack."""
        found = read_json(self.costs).get("uncounted", [])
        return [str(name) for name in found] if isinstance(found, list) else []


@contextmanager
def locked_folder(path: Path, what: str, *, wait: float = _WAIT_FOR_WRITER) -> Iterator[None]:
    """Hold the lock of a folder, so that only one process writes; unfinished files of a killed writer are removed.

    Args:
        path: a folder, made if it is missing.
        what: what the folder is, for the error message.
        wait: seconds to wait for another writer, whose command may have been killed a moment ago.

    Raises:
        InputError: another process is writing, or this process has no permission to write.
    """
    require_writable(path)
    with hold_lock(path / ".lock", f"{path}: another process is writing into this {what}", wait=wait):
        remove_unfinished(path)
        yield


def _read_lines(path: Path) -> list[dict[str, Any]]:
    """Read a file with one JSON object a line; NaN and infinity are allowed, since losses may be.

    Raises:
        InputError: the file cannot be read, is longer than `MAX_BYTES`, or a line is not an object.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise InputError(f"{path}: longer than {MAX_BYTES // 2**20} MiB, the most that is read of such a file")
        records = [json.loads(line) for line in data.decode().splitlines()]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not one JSON object a line") from error
    if not all(isinstance(record, dict) for record in records):
        raise InputError(f"{path}: not one JSON object a line")
    return records
