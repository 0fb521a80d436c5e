"""Predictions for whole samples as a table: ``predictions.csv``, and ``predictions.parquet`` with pyarrow."""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from nas.deploy import TaskRecord
from nas.files import write_bytes_atomically, write_text_atomically

CSV, PARQUET = "predictions.csv", "predictions.parquet"


class PredictionTable:
    """One row for each sample: its ``name`` (``name_`` if a task is called name), and every prediction that fits a row.

    classes     TASK, the likeliest class; TASK.CLASS, the probability of each
    binary      TASK.OUTPUT, the probability of each; TASK if there is one and it has no name
    values      TASK.0, TASK.1, ...; TASK if there is one

    Args:
        tasks: tasks whose predictions are maps or other arrays have no column.
    """

    def __init__(self, tasks: Sequence[TaskRecord]) -> None:
        self.tasks = [task for task in tasks if len(task.shape) == 1]
        self._names: list[str] = []
        self._answers: dict[str, list[npt.NDArray[Any]]] = {task.name: [] for task in self.tasks}

    def add(self, names: Sequence[str], answers: Mapping[str, Tensor]) -> None:
        """Add the predictions [B, outputs], by task, for samples with these names."""
        # A file name may contain bytes that are not text (half a surrogate pair); they are escaped.
        self._names += [os.fsencode(name).decode("utf-8", "backslashreplace") for name in names]
        for task in self.tasks:
            self._answers[task.name].append(answers[task.name].numpy())

    def write(self, folder: Path) -> list[Path]:
        """Write the files and return their paths; an empty list if there are no rows or no columns."""
        if not self.tasks or not self._names:
            return []
        columns = self._columns()
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(columns)
        # str() of a float32 is the shortest text that is read back as the same number.
        writer.writerows(zip(*(map(str, column) for column in columns.values()), strict=True))
        write_text_atomically(folder / CSV, buffer.getvalue())
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            return [folder / CSV]
        sink = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.table({name: list(column) for name, column in columns.items()}), sink)
        write_bytes_atomically(folder / PARQUET, sink.getvalue())
        return [folder / CSV, folder / PARQUET]

    def _columns(self) -> dict[str, Iterable[Any]]:
        first = "name"
        while first in {task.name for task in self.tasks}:
            first += "_"
        columns: dict[str, Iterable[Any]] = {first: self._names}
        for task in self.tasks:
            answers = np.concatenate(self._answers[task.name])
            names = _output_names(task, answers.shape[1])
            if task.kind == "classes":
                columns[task.name] = [names[i] for i in answers.argmax(1)]
            if len(names) == 1 and task.labels is None and task.kind != "classes":
                columns[task.name] = answers[:, 0]
            else:
                columns |= {f"{task.name}.{name}": answers[:, i] for i, name in enumerate(names)}
        return columns


def _output_names(task: TaskRecord, num_outputs: int) -> list[str]:
    if task.labels is not None and len(set(task.labels)) == num_outputs:
        return list(task.labels)
    return [str(i) for i in range(num_outputs)]
