"""Timing several calls in turns, so that a disturbance of the machine affects all of them."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch
from pydantic import BaseModel, ConfigDict, Field

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
    def of(cls, milliseconds: list[float]) -> "Timing":
        """Of at least two calls."""
        deciles = statistics.quantiles(milliseconds, n=10, method="inclusive")
        return cls(median=statistics.median(milliseconds), low=deciles[0], high=deciles[-1])

    def to_dict(self) -> dict[str, float]:
        return self.model_dump()


def time_calls(calls: Mapping[str, Call], *, device: torch.device, rounds: int = 20) -> dict[str, Timing]:
    """Measure how long each call takes.

    Every round makes each call once, in the same order. Rounds of warm-up come first, in which memory is allocated,
    kernels are chosen and code is compiled. On a GPU, the clock starts and stops when all its work is done.

    Args:
        calls: functions without arguments, by name.
        device: where they compute.
        rounds: number of timed rounds; at least two.
    """
    seen: dict[str, list[float]] = {name: [] for name in calls}
    with torch.inference_mode():
        for i in range(WARM_UP + rounds):
            for name, call in calls.items():
                _wait(device)
                start = time.perf_counter()
                call()
                _wait(device)
                if i >= WARM_UP:
                    seen[name].append(1e3 * (time.perf_counter() - start))
    return {name: Timing.of(milliseconds) for name, milliseconds in seen.items()}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
