"""``parents.json`` of a trial: the logits at the end of a search by parent choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat, model_validator

if TYPE_CHECKING:
    from torch import Tensor

    from nas.strategies.store import Store

_NAME = "parents"
FILE = f"{_NAME}.json"

Rows = tuple[tuple[FiniteFloat, ...], ...]


class ParentsRecord(BaseModel):
    """The logits of each block, [readers, nodes], the probabilities that two tasks share it, and the tasks' names.

    Args:
        together: `nas.discretize.ancestor_agreement`, [L, T, T].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    tasks: tuple[str, ...]
    logits: tuple[Rows, ...]
    together: tuple[Rows, ...]

    @model_validator(mode="after")
    def _fits(self) -> ParentsRecord:
        if not self.logits or not all(rows and rows[0] for rows in self.logits):
            raise ValueError("the logits are an array [readers, nodes] for each block; found an empty one")
        num_tasks = len(self.tasks)
        if len(self.together) != len(self.logits) or any(
            [len(row) for row in rows] != [num_tasks] * num_tasks for rows in self.together
        ):
            raise ValueError(
                f"together is an array [{len(self.logits)}, {num_tasks}, {num_tasks}]; found another shape"
            )
        return self

    @property
    def nodes(self) -> tuple[int, ...]:
        """The number of nodes of each block."""
        return tuple(len(rows[0]) for rows in self.logits)


def write_parents(store: Store, tasks: tuple[str, ...], logits: Sequence[Tensor]) -> None:
    """Write the logits into the trial's folder."""
    from nas.discretize import ancestor_agreement

    record = {
        "tasks": tasks,
        "logits": [logits_KJ.detach().cpu().tolist() for logits_KJ in logits],
        "together": ancestor_agreement(logits).tolist(),
    }
    store.write(_NAME, ParentsRecord.model_validate(record).model_dump())
