"""``curve.json`` of a trial: the best tree for every cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from nas.display import Displayed
from nas.tree import Partition

if TYPE_CHECKING:
    from nas.discretize import Curve


class RecordedTree(BaseModel):
    """One tree of a curve: its cost, the value that discretisation minimises, its id and its partitions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cost: FiniteFloat
    value: FiniteFloat
    tree: str = Field(pattern=r"^[0-9a-f]+$")
    partitions: tuple[Partition, ...]


class CurveRecord(Displayed, BaseModel):
    """A `nas.discretize.Curve` as plain data, cheapest tree first; ``resource`` is the cost that counts."""

    picture: ClassVar[str | None] = "curve"

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    resource: str
    exact: bool
    points: tuple[RecordedTree, ...] = Field(min_length=1)

    def summary(self) -> str:
        return f"{len(self.points)} trees by {self.resource}{'' if self.exact else ', by beam search'}"

    def records(self) -> list[dict[str, Any]]:
        """A line for each tree; the lower its value, the better it is."""
        return [{"tree": point.tree, self.resource: point.cost, "value": point.value} for point in self.points]

    @classmethod
    def of(cls, curve: Curve) -> CurveRecord:
        points = [
            RecordedTree(cost=point.cost, value=point.value, tree=point.tree.id, partitions=point.tree.partitions)
            for point in curve
        ]
        return cls(resource=curve.resource, exact=curve.exact, points=tuple(points))
