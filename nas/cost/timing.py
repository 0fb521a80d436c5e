"""Timing several calls in turns, so that a disturbance of the machine affects all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from nas.steps import counted

if TYPE_CHECKING:
    import torch

Call = Callable[[], object]

WARM_UP = 3
"""Rounds before the timed ones."""


class Timing(BaseModel):
    """Milliseconds of one call: the median, and the tenth and ninetieth percentile."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    median: float = Field(ge=0.0, allow_inf_nan=False)
    low: float = Field(ge=0.0, allow_inf_nan=False)
    high: float = Field(ge=0.0, allow_inf_nan=False)

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> Timing:
        """Of at least two calls."""
        deciles = statistics.quantiles(milliseconds, n=10, method="inclusive")
        return cls(median=statistics.median(milliseconds), low=deciles[0], high=deciles[-1])

    def to_dict(self) -> dict[str, float]:
        return self.model_dump()


def time_calls(calls: Mapping[str, Call], *, device: torch.device, rounds: int = 20) -> dict[str, Timing]:
    """Measure how long each call takes, in the rounds of `time_rounds`.

    Args:
        calls: functions without arguments, by name.
        device: where they compute.
        rounds: number of timed rounds; at least two.
    """
    timed = time_rounds(calls, device=device, rounds=rounds)
    return {name: Timing.of(milliseconds) for name, milliseconds in timed.items()}


def time_rounds(calls: Mapping[str, Call], *, device: torch.device, rounds: int = 20) -> dict[str, list[float]]:
    """The milliseconds of each call in each round.

    Every round makes each call once, in the same order. Rounds of warm-up come first, in which memory is allocated,
    kernels are chosen and code is compiled. On a GPU, the clock starts and stops when all its work is done. On the CPU
    with one thread, the clock counts the time in which this thread computes: other processes interrupt long calls more
    often than short ones, so on a busy machine the wall clock would make networks slower than the sum of their parts.

    Args:
        calls, device, rounds: as in `time_calls`.
    """
    seen: dict[str, list[float]] = {name: [] for name in calls}
    import torch

    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.thread_time if alone else time.perf_counter
    with torch.inference_mode():
        for i in counted(range(WARM_UP + rounds), "timing", WARM_UP + rounds):
            for name, call in calls.items():
                _wait(device)
                start = clock()
                call()
                _wait(device)
                if i >= WARM_UP:
                    seen[name].append(1e3 * (clock() - start))
    return seen


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)
