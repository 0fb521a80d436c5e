"""``logits.json`` of a trial: the logits at the end of a gradient search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, FiniteFloat, field_validator

if TYPE_CHECKING:
    from torch import Tensor

    from nas.strategies.store import Store

_NAME = "logits"
FILE = f"{_NAME}.json"

Rows = tuple[tuple[tuple[FiniteFloat, ...], ...], ...]


class LogitsRecord(BaseModel):
    """Logits [L, T, C] with the names of the T tasks."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    tasks: tuple[str, ...]
    logits: Rows

    @field_validator("logits")
    @classmethod
    def _is_an_array(cls, logits: Rows) -> Rows:
        # A ValueError if the rows differ in their lengths.
        if np.array(logits).size == 0:
            raise ValueError("the logits are an array [blocks, tasks, candidates]; found an empty one")
        return logits

    @property
    def probs_LTC(self) -> NDArray[np.float64]:
        """softmax(logits)."""
        logits_LTC = np.array(self.logits)
        exp_LTC = np.exp(logits_LTC - logits_LTC.max(axis=-1, keepdims=True))
        probs_LTC: NDArray[np.float64] = exp_LTC / exp_LTC.sum(axis=-1, keepdims=True)
        return probs_LTC


def write_logits(store: Store, tasks: tuple[str, ...], logits_LTC: Tensor) -> None:
    """Write the logits into the trial's folder."""
    record = {"tasks": tasks, "logits": logits_LTC.detach().cpu().tolist()}
    store.write(_NAME, LogitsRecord.model_validate(record).model_dump())
