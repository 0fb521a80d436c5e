"""How far an exported network's outputs are from those of the network it was made from."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nas.data.seeds import seeded_generator
from nas.deploy.description import TaskRecord, Verification
from nas.deploy.output_kind import answers

TOLERANCE = 1e-4
"""Largest deviation of an output, relative to the task's largest output. Another order of float32 sums (eps 6e-8) costs
1e-6 to 1e-5 through fifty layers; a wrong operator, constant or weight more than 1e-2."""


class Deviation(NamedTuple):
    """A task's largest absolute difference, and its largest absolute output as the scale for it."""

    difference: float
    scale: float

    @property
    def acceptable(self) -> bool:
        return self.difference <= TOLERANCE * self.scale

    def joined(self, other: "Deviation") -> "Deviation":
        return Deviation(max(self.difference, other.difference), max(self.scale, other.scale))


def deviations(
    tasks: Sequence[TaskRecord], expected: Mapping[str, Tensor], found: Mapping[str, Tensor], *, are_answers: bool
) -> dict[str, Deviation]:
    """Every task's deviation, in the unit of the network's own outputs.

    Answers are compared by the outputs that they come from: a class by how far its output is below the largest one (two
    classes may tie), a direction as a vector with the length of the output (a vector of length 0 has no direction).
    Probabilities are compared directly, because they change by no more than outputs do.

    Args:
        expected: the network's outputs.
        found: the outputs or answers of the exported network.
        are_answers: whether ``found`` are answers.

    Returns:
        by task; a difference is infinite where shapes differ or a value is NaN.
    """
    return {
        task.name: _deviation(task, expected[task.name], found[task.name], are_answers=are_answers) for task in tasks
    }


def _deviation(task: TaskRecord, expected: Tensor, found: Tensor, *, are_answers: bool) -> Deviation:
    scale = expected.abs().max().item()
    if are_answers:
        if found.shape != (wanted := answers(task.kind, expected)).shape or found.dtype != wanted.dtype:
            return Deviation(float("inf"), scale)
        if task.kind == "classes" and expected.ndim > 2:
            if found.min() < 0 or found.max() >= expected.shape[1]:
                return Deviation(float("inf"), scale)
            found, expected = expected.gather(1, found[:, None]), expected.amax(1, keepdim=True)
        elif task.kind == "directions":
            found = found * expected.norm(dim=1, keepdim=True)
        elif task.kind in ("classes", "binary"):
            expected = wanted
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return Deviation(float("inf"), scale)
    difference = (found - expected).abs().max()
    return Deviation(difference.item() if torch.isfinite(difference) else float("inf"), scale)


def verification(
    found: dict[str, Deviation],
    num_samples: int,
    origin: str,
    macs: dict[str, int] | None = None,
    uncounted: Sequence[str] = (),
) -> Verification:
    """The record of a comparison; ``macs`` are by operator."""
    return Verification(
        num_samples=num_samples,
        samples=origin,
        deviation={name: deviation.difference for name, deviation in found.items()},
        scale={name: deviation.scale for name, deviation in found.items()},
        macs=None if macs is None else sum(macs.values()),
        macs_by_operator=macs or {},
        uncounted=tuple(uncounted),
    )


def other_sizes(inputs: Tensor) -> Iterator[Tensor]:
    """Random inputs of the samples' type in two other sizes: one that no stride divides, and a larger one."""
    generator = seeded_generator("other sizes")
    height, width = inputs.shape[2:]
    for size in ((height + 1, width + 3), (height + 32, width)):
        shape = (2, inputs.shape[1], *size)
        if inputs.dtype == torch.uint8:
            yield torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
        else:
            yield torch.randn(shape, generator=generator)
