"""The goal: which trees are wanted, whatever strategy finds them."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PositiveFloat

from nas.cost import find_resource
from nas.cost.resources import MACS
from nas.discretize import Constraints
from nas.fields import Settings


def _known(resource: str) -> str:
    return find_resource(resource).name


class Goal(Settings):
    """Which trees are wanted.

    Args:
        budgets: upper limits of the cost, each a share in (0, 1] of the cost of T single-task networks or an absolute
            amount of the resource. One search gives a tree for each. Without budgets a strategy chooses the cost.
        resource: the cost that counts: "macs", "params" or "ms".
        constraints: which tasks must share or part, and how much a task may add to the cost; every tree keeps them.
        measure: which of the found trees are retrained after the search to measure their quality: "none", "all", or
            the number of trees, best estimates first.
    """

    budgets: tuple[PositiveFloat, ...] = ()
    resource: Annotated[str, AfterValidator(_known)] = MACS.name
    constraints: Constraints = Constraints()
    measure: Literal["none", "all"] | Annotated[int, Field(strict=True, ge=1)] = "none"
