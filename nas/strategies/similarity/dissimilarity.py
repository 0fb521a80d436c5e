"""Distances between the features of different tasks, block by block, and between copies of one task (noise floor)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.display import Displayed
from nas.errors import InputError
from nas.files import read_json

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Dissimilarity(Displayed):
    """Dissimilarities of T tasks at L blocks, measured between K copies of each.

        d_l(s, t)     = mean over all pairs of a copy of s and a copy of t
        floor_l(s, t) = (w_l(s) + w_l(t)) / 2,    w_l(t) = mean over all pairs of different copies of t

    The copies of a task that has learned nothing are as far from each other as from other tasks, so the task may share
    with any other. With one copy the floor is 0. Then every pair of tasks is above the floor, and tasks share only
    because of a budget.

    Args:
        tasks: names, in the order of the rows.
        measure: the measure and what it compares: "r2 of features".
        dissimilarity_LTT: d; symmetric, zero on the diagonal.
        floor_LTT: the floor; symmetric, its diagonal is zero and not used.
        error_LTT: standard error of d: standard deviation over the pairs of copies, divided by the root of K. None with
            one copy.
    """

    tasks: tuple[str, ...]
    measure: str
    dissimilarity_LTT: Floats
    floor_LTT: Floats
    error_LTT: Floats | None = None

    @classmethod
    def of_copies(cls, tasks: Sequence[str], measure: str, copies_LCC: Floats) -> "Dissimilarity":
        """From the dissimilarities of all copies, where copy k of task t is in row k T + t."""
        num_tasks = len(tasks)
        num_copies = copies_LCC.shape[1] // num_tasks
        copies_LKTKT = copies_LCC.reshape(-1, num_copies, num_tasks, num_copies, num_tasks)
        across_LTT = copies_LKTKT.mean(axis=(1, 3))
        # A copy's distance to itself is 0, so the mean over pairs of different copies has a smaller divisor.
        own_LT = np.diagonal(across_LTT, axis1=1, axis2=2) * num_copies / max(num_copies - 1, 1)
        off_TT = ~np.eye(num_tasks, dtype=bool)
        floor_LTT = (own_LT[:, :, None] + own_LT[:, None, :]) / 2.0 * off_TT
        error_LTT = copies_LKTKT.std(axis=(1, 3)) / np.sqrt(num_copies) * off_TT
        return cls(tuple(tasks), measure, across_LTT * off_TT, floor_LTT, error_LTT if num_copies > 1 else None)

    @classmethod
    def mean(cls, seeds: Sequence["Dissimilarity"]) -> "Dissimilarity":
        """The mean of what n searches with different seeds measured; its error is that within each, sqrt(mean e^2 / n).

        Raises:
            InputError: the searches have other tasks, blocks or measures.
        """
        first = seeds[0]
        if any(
            (one.tasks, one.measure, one.floor_LTT.shape) != (first.tasks, first.measure, first.floor_LTT.shape)
            for one in seeds
        ):
            raise InputError("dissimilarities of several seeds must have the same tasks, blocks and measure")
        errors = [one.error_LTT for one in seeds if one.error_LTT is not None]
        return cls(
            first.tasks,
            first.measure,
            np.mean([one.dissimilarity_LTT for one in seeds], axis=0),
            np.mean([one.floor_LTT for one in seeds], axis=0),
            np.sqrt(np.mean(np.square(errors), axis=0) / len(seeds)) if len(errors) == len(seeds) else None,
        )

    def above_floor(self, times: float = 1.0) -> Floats:
        """d - times * floor. Below zero, two tasks differ by less than ``times`` the difference that chance makes."""
        return self.dissimilarity_LTT - times * self.floor_LTT

    def summary(self) -> str:
        return f"{self.measure}, {len(self.tasks)} tasks, {len(self.floor_LTT)} blocks"

    def records(self) -> list[dict[str, Any]]:
        """A line for each pair of tasks: how much they differ above the noise floor at each block."""
        above_LTT = self.above_floor()
        return [
            {
                "tasks": f"{self.tasks[s]}, {self.tasks[t]}",
                **{f"block {l}": float(above_TT[s, t]) for l, above_TT in enumerate(above_LTT)},
            }
            for s, t in combinations(range(len(self.tasks)), 2)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for a file."""
        arrays = {"dissimilarity": self.dissimilarity_LTT, "floor": self.floor_LTT}
        if self.error_LTT is not None:
            arrays["error"] = self.error_LTT
        blocks = [
            {name: array_LTT[l].tolist() for name, array_LTT in arrays.items()} for l in range(len(self.floor_LTT))
        ]
        return {"schema_version": 1, "measure": self.measure, "tasks": list(self.tasks), "blocks": blocks}

    @classmethod
    def from_dict(cls, record: Any, where: str) -> "Dissimilarity":
        """The inverse of `to_dict`; InputError naming ``where`` if the record is malformed."""
        try:
            tasks, measure = tuple(record["tasks"]), record["measure"]
            blocks = record["blocks"]
            names = ("dissimilarity", "floor", *(["error"] if "error" in blocks[0] else []))
            arrays = [np.array([block[name] for block in blocks], np.float64) for name in names]
            shape = (len(blocks), len(tasks), len(tasks))
            if record["schema_version"] != 1 or any(array.shape != shape for array in arrays):
                raise ValueError
            if not isinstance(measure, str) or not all(np.isfinite(array).all() for array in arrays):
                raise ValueError
        except (LookupError, TypeError, ValueError) as error:
            raise InputError(f"{where}: not the dissimilarities of own copies") from error
        return cls(tasks, measure, *arrays)


NAME = "similarity"
FILE = f"{NAME}.json"
"""The file of the dissimilarities in a trial's folder."""


def read_dissimilarity(folder: Path) -> Dissimilarity:
    """The dissimilarities that a trial's search wrote; InputError if the file is missing or malformed."""
    return Dissimilarity.from_dict(read_json(folder / FILE), str(folder / FILE))
