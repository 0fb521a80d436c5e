"""The folder of one trial in a run folder: what one search leaves behind."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nas.data import DataSource
from nas.discretize import Curve
from nas.errors import InputError, in_one_line
from nas.files import (
    make_folder,
    read_json,
    remove_unfinished,
    require_writable,
    write_json_atomically,
    write_text_atomically,
)
from nas.lock import hold_lock
from nas.run.outcome import Outcome, read_outcome
from nas.run.part_shapes import Shapes
from nas.run.trial_plan import Trial
from nas.strategies import Store
from nas.tree import BranchTree, CostTable, write_tree

_WAIT_FOR_WRITER = 30.0
"""Seconds; the processes of a killed command are gone within one or two."""


class TrialFolder:
    """``trials/<n>/``: the metrics, checkpoints and trees of one search."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = Store(path)
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
        folders = (self.store.preparation, self.store.checkpoints)
        return sum(max(checkpoints.epochs(), default=0) for checkpoints in folders)

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

    @property
    def network_changes(self) -> dict[str, Any]:
        """What distinguishes the experiment of the trial's networks from the run's."""
        values = self.setting.values
        return {name: value for name, value in values.items() if name.partition(".")[0] in ("backbone", "input_shape")}

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

    def write_costs(self, table: CostTable, shapes: Shapes | None = None) -> None:
        """What the parts of the trial's networks cost, and the shapes of their tensors (`part_shapes`)."""
        write_json_atomically(self.costs, table.to_dict() | ({} if shapes is None else {"shapes": shapes}))


@contextmanager
def locked_folder(path: Path, what: str, *, wait: float = _WAIT_FOR_WRITER) -> Iterator[None]:
    """One writer at a time; what a killed writer has left half-written is removed.

    Args:
        path: a folder, made if it is missing.
        what: it is, for the message.
        wait: seconds that a writer gets to end: its command may have been killed a moment ago.

    Raises:
        InputError: another process is writing, or this one may not write.
    """
    require_writable(path)
    with hold_lock(path / ".lock", f"{path}: another process is writing into this {what}", wait=wait):
        remove_unfinished(path)
        yield
