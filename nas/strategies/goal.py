"""The goal: which trees are wanted, whatever strategy finds them."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat

from nas.cost import find_resource
from nas.cost.resources import MACS
from nas.discretize import Constraints


def _known(resource: str) -> str:
    return find_resource(resource).name


class Goal(BaseModel):
    """Which trees are wanted.

    Args:
        budgets: upper limits of the cost, each a share in (0, 1] of the cost of T single-task networks or an absolute
            amount of the resource. One search gives a tree for each. Without budgets a strategy chooses the cost.
        resource: the cost that counts, a name of `nas.cost.RESOURCES`: "macs", "params", "ms" (milliseconds, which need
            a latency table) or "activation" (bytes of a forward pass).
        constraints: which tasks must share or part, and what a task may add; every tree keeps them.
        measure: which of the found trees are retrained after the search, so that their quality is measured: "none",
            "all", or a number of the best.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    budgets: tuple[PositiveFloat, ...] = ()
    resource: Annotated[str, AfterValidator(_known)] = MACS.name
    constraints: Constraints = Constraints()
    measure: Literal["none", "all"] | Annotated[int, Field(strict=True, ge=1)] = "none"
