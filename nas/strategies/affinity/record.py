"""``affinity.json`` of a trial: what tasks do for each other at each block, and what it cost to measure."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, FiniteFloat, NonNegativeFloat, model_validator
from torch import Tensor

from nas.errors import InputError
from nas.files import read_record as read_file
from nas.strategies.protocol import Problem
from nas.strategies.store import Store

_Matrices = tuple[tuple[tuple[FiniteFloat, ...], ...], ...]

_NAME = "affinity"


class AffinityRecord(BaseModel):
    """What a strategy measured in one search.

    Args:
        measure: what the quality of a tree is, in a few words: minus the sum of dissimilarities within groups.
        affinity_LTT: what the strategy measured, ``[l][t][s]``: what task s does for task t at block l.
        dissimilarity_LTT: what the programme minimises, symmetric and zero on the diagonal.
        error_LTT: standard error of the dissimilarities by the steps of one training, which is a lower bound; None if
            it is not known.
        cost: in trainings of a tree that costs the largest budget; None if the length of a training is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    measure: str
    tasks: tuple[str, ...]
    blocks: tuple[str, ...]
    affinity_LTT: _Matrices
    dissimilarity_LTT: _Matrices
    error_LTT: _Matrices | None = None
    cost: NonNegativeFloat | None = None

    @model_validator(mode="after")
    def _has_all_pairs_and_blocks(self) -> "AffinityRecord":
        shape = [len(self.blocks), len(self.tasks), len(self.tasks)]
        for name in ("affinity_LTT", "dissimilarity_LTT", "error_LTT"):
            values = getattr(self, name)
            if values is None:
                continue
            sizes = {len(matrix) for matrix in values} | {len(row) for matrix in values for row in matrix}
            if len(values) != shape[0] or sizes != {shape[1]}:
                raise ValueError(f"{name} of {shape[1]} tasks and {shape[0]} blocks has the shape {shape}")
        return self

    @classmethod
    def of(
        cls,
        problem: Problem,
        measure: str,
        affinity_LTT: Tensor,
        dissimilarity_LTT: Tensor,
        error_LTT: Tensor | None = None,
        cost: float | None = None,
    ) -> "AffinityRecord":
        """The record of a problem's tasks and blocks, from tensors."""
        values = {"affinity_LTT": affinity_LTT, "dissimilarity_LTT": dissimilarity_LTT, "error_LTT": error_LTT}
        return cls.model_validate(
            {
                "measure": measure,
                "tasks": problem.task_names,
                "blocks": problem.table.block_names,
                "cost": cost,
                **{name: None if value is None else value.tolist() for name, value in values.items()},
            }
        )

    @property
    def unlike_LTT(self) -> NDArray[np.float64]:
        """The dissimilarities as an array."""
        return np.array(self.dissimilarity_LTT, np.float64)

    def write(self, store: Store) -> None:
        """Write ``affinity.json``."""
        store.write(_NAME, self.model_dump())

    @classmethod
    def read(cls, store: Store, tasks: tuple[str, ...] | None = None) -> "AffinityRecord":
        """Read ``affinity.json``; InputError if it is missing, malformed, or of other tasks than those given."""
        path = store.folder / f"{_NAME}.json"
        record = read_file(path, cls)
        if tasks is not None and record.tasks != tasks:
            raise InputError(f"{path}: has the tasks {list(record.tasks)}, not {list(tasks)}")
        return record
