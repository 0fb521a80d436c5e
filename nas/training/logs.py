"""Logs of a search or a training, written anew from its history, so that a resumed one logs every epoch once."""

import csv
import io
import math
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from nas.errors import InputError
from nas.files import write_text_atomically

LogKind = Literal["csv", "tensorboard"]


def flat(record: Mapping[str, Any], place: str = "") -> dict[str, float]:
    """The numbers of a nested record by dotted names: ``validation.tasks.depth.rmse``, ``entropy.0``; text has none."""
    numbers: dict[str, float] = {}
    for name, value in record.items():
        if isinstance(value, list | tuple):
            value = {str(i): element for i, element in enumerate(value)}
        if isinstance(value, Mapping):
            numbers |= flat(value, f"{place}{name}.")
        elif isinstance(value, int | float):
            numbers[f"{place}{name}"] = value
    return numbers


def as_csv(history: Sequence[Mapping[str, Any]]) -> str:
    """One line per epoch and one column per number; a cell is empty if the epoch lacks the number or it is NaN."""
    rows = [{name: value for name, value in flat(record).items() if math.isfinite(value)} for record in history]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


class EpochLogs:
    """The logs of one search or training in its folder: ``metrics.csv``, and ``tensorboard/`` for
    ``tensorboard --logdir``.

    A context manager.

    Raises:
        InputError: TensorBoard is asked for and not installed.
    """

    def __init__(self, folder: Path, kinds: Iterable[LogKind]) -> None:
        self._csv = folder / "metrics.csv" if "csv" in kinds else None
        self._writer = _summary_writer(folder / "tensorboard") if "tensorboard" in kinds else None
        self._num_written = 0

    def __enter__(self) -> "EpochLogs":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Log the epochs that were added to the history since the last call."""
        if self._csv is not None:
            write_text_atomically(self._csv, as_csv(history))
        if self._writer is not None:
            for record in history[self._num_written :]:
                for name, value in flat(record).items():
                    if name != "epoch":
                        # Tags are grouped by what comes before a slash.
                        self._writer.add_scalar(name.replace(".", "/"), value, record["epoch"] + 1)
            self._writer.flush()
        self._num_written = len(history)


def require_logs(kinds: Iterable[LogKind]) -> None:
    """InputError if TensorBoard is asked for and not installed."""
    if "tensorboard" in kinds:
        _import_summary_writer()


def _import_summary_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError(
            "a log for TensorBoard needs tensorboard, which is not installed: pip install 'branched-nas[train]'"
        ) from error
    return SummaryWriter


def _summary_writer(folder: Path) -> Any:
    writer = _import_summary_writer()
    # Older events are in the history and are logged again, or belong to epochs after the last checkpoint.
    shutil.rmtree(folder, ignore_errors=True)
    return writer(str(folder))
