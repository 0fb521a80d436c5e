"""Affinities of pairs of tasks over many steps: their means, and how unlike they make two tasks."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def unlikeness(affinity_LTT: Tensor) -> Tensor:
    """How much less two tasks do for each other than each does for itself, symmetric, zero on the diagonal, [L, T, T].

        d_l(s, t) = (a_l(s, s) + a_l(t, t) - a_l(s, t) - a_l(t, s)) / 2

    Two equal tasks have d = 0. It is negative if other tasks do more for a task than the task does for itself.

    Args:
        affinity_LTT: what task s does for task t at block l, [l, t, s]; on the diagonal what it does for itself.
    """
    own_LT = affinity_LTT.diagonal(dim1=1, dim2=2)
    # Two sums of two numbers each are symmetric to the last bit.
    found_LTT = ((own_LT[:, :, None] + own_LT[:, None, :]) - (affinity_LTT + affinity_LTT.mT)) / 2.0
    found_LTT.diagonal(dim1=1, dim2=2).zero_()
    return found_LTT


class PairMeans:
    """Means over steps of affinities and of `unlikeness`, in double precision on the CPU.

    A step in which a task has no labels says nothing about its pairs.
    """

    def __init__(self, num_blocks: int, num_tasks: int) -> None:
        shape = (num_blocks, num_tasks, num_tasks)
        self._sums = {
            name: torch.zeros(shape, dtype=torch.float64) for name in ("count", "affinity", "unlike", "square")
        }

    def add(self, affinity_LTT: Tensor) -> None:
        """Add a step's affinities; NaN where they are not known."""
        seen_LTT = affinity_LTT.detach().cpu().double()
        unlike_LTT = unlikeness(seen_LTT)
        own_LT = seen_LTT.diagonal(dim1=1, dim2=2).isfinite()
        known_LTT = seen_LTT.isfinite() & seen_LTT.mT.isfinite() & own_LT[:, :, None] & own_LT[:, None, :]
        for name, values_LTT in (
            ("count", torch.ones_like(seen_LTT)),
            ("affinity", seen_LTT),
            ("unlike", unlike_LTT),
            ("square", unlike_LTT.square()),
        ):
            self._sums[name] += torch.where(known_LTT, values_LTT, 0.0)

    @property
    def count_LTT(self) -> Tensor:
        """Number of steps that say something about a pair."""
        return self._sums["count"]

    @property
    def affinity_LTT(self) -> Tensor:
        """The mean affinities; 0 for a pair that no step says anything about."""
        return self._mean("affinity")

    @property
    def unlike_LTT(self) -> Tensor:
        """The mean of `unlikeness`."""
        return self._mean("unlike")

    @property
    def error_LTT(self) -> Tensor | None:
        """The standard error of `unlike_LTT` if the steps were independent; None if a pair has fewer than two steps."""
        if not (self.count_LTT > 1).all():
            return None
        variance_LTT = (self._mean("square") - self.unlike_LTT.square()).clamp(min=0.0)
        return (variance_LTT / (self.count_LTT - 1.0)).sqrt()

    def state_dict(self) -> dict[str, Tensor]:
        """The sums, for a checkpoint."""
        return dict(self._sums)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`; ValueError if the sums are of other blocks or tasks."""
        for name, values_LTT in self._sums.items():
            if state[name].shape != values_LTT.shape:
                raise ValueError(f"{name} has the shape {list(state[name].shape)}, here it is {list(values_LTT.shape)}")
        self._sums = {name: state[name].clone() for name in self._sums}

    def _mean(self, name: str) -> Tensor:
        return self._sums[name] / self.count_LTT.clamp(min=1.0)
