"""What a resource is: a cost that trees are compared by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nas.tree.quantities import Units

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class TracedPart:
    """One stem, block or head in evaluation mode, as a resource counts it.

    Args:
        module: the part.
        inputs: of one sample, as ``module(*inputs)`` takes them.
        macs: multiply-adds that tracing the part has counted (`nas.cost.operators`).
    """

    module: nn.Module
    inputs: tuple[Tensor, ...]
    macs: int


@dataclass(frozen=True)
class Resource:
    """A cost of a branch tree: the sum over one stem, one block for each group, and one head for each task.

    Args:
        name: in recipes (``goal.resource``), cost tables and files.
        title: what it is, for the axis of a plot.
        units: how amounts are written.
        count: the amount of one part for one sample. None if it is read from a latency table of a device, the file
            that ``nas profile RECIPE --latency FILE`` measures.
        always: whether every cost table has it. Otherwise a table has it if ``goal.resource`` names it.
    """

    name: str
    title: str
    units: Units
    count: Callable[[TracedPart], float] | None
    always: bool = False

    @property
    def unit(self) -> str:
        """The unit that amounts are stated in."""
        return next(unit for scale, unit in self.units if scale == 1)

    @property
    def needs_latency(self) -> bool:
        """Whether it is read from a latency table."""
        return self.count is None
