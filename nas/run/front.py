"""The front: every tree a run found, dominated ones marked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nas.files import read_record, write_json_atomically


class Quality(BaseModel):
    """How good a tree is; higher is better. A search estimates it; a retraining measures it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    measure: str
    kind: Literal["estimated", "measured"]


class Point(BaseModel):
    """One tree of the front.

    Args:
        tree: its file, relative to the run folder.
        dominated: whether another point with the same measure of quality beats it.
        recommended: whether it is the recommended tree (see `make_front`).
        estimate: the search's estimate, if ``quality`` is measured.
        withheld: why the search's estimate says nothing; None if it counts, or if ``quality`` is measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tree: str = Field(pattern=r"^trials/\d+/trees/[0-9a-f]+\.json$")
    trial: int
    seed: int
    budget: float | None
    cost: dict[str, float]
    quality: Quality
    dominated: bool = False
    recommended: bool = False
    estimate: Quality | None = None
    withheld: str | None = Field(default=None, max_length=4096)

    @property
    def tree_id(self) -> str:
        return Path(self.tree).stem


class Front(BaseModel):
    """All points of a run, cheapest first; ``resource`` is the cost that counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    resource: str
    points: tuple[Point, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> "Front":
        names = list(self.points[0].cost)
        if odd := [point.tree for point in self.points if list(point.cost) != names or self.resource not in names]:
            raise ValueError(f"every point must have the same costs, among them {self.resource!r}; {odd[0]} has others")
        if all(point.dominated for point in self.points):
            raise ValueError("every point is marked as dominated, which is impossible")
        recommended = [point for point in self.points if point.recommended]
        if len(recommended) > 1 or any(point.dominated or point.withheld for point in recommended):
            raise ValueError(
                f"at most one point, neither dominated nor withheld, is recommended; {recommended[-1].tree} is"
            )
        return self

    @property
    def best(self) -> Point | None:
        """The recommended point; None if all are withheld."""
        return next((point for point in self.points if point.recommended), None) or _best(self.points)

    def write(self, path: Path) -> None:
        write_json_atomically(path, self.model_dump())

    @classmethod
    def read(cls, path: Path) -> "Front":
        """Raises InputError if the file is missing or malformed."""
        return read_record(path, cls)


def make_front(points: Sequence[Point], resource: str) -> Front:
    """Sort points by cost, mark the dominated ones, and recommend one.

    A point is dominated if another one with the same measure is at least as good in quality and in cost, and better in
    one of the two. The recommended point is the best non-dominated one: among the measured points if there are any,
    else among those that a search chose without a budget, else among all. Estimates alone are a poor guide to how much
    to spend. Withheld points are not recommended, and dominate only each other.
    """
    points = [point.model_copy(update={"withheld": None}) if _is_measured(point) else point for point in points]
    marked = [
        point.model_copy(update={"dominated": any(_beats(other, point, resource) for other in points)})
        for point in points
    ]
    best = _best(marked)
    marked = [point.model_copy(update={"recommended": point is best}) for point in marked]
    return Front(resource=resource, points=tuple(sorted(marked, key=lambda p: (p.cost[resource], -p.quality.value))))


def _best(points: Sequence[Point]) -> Point | None:
    return max((point for point in points if not point.dominated and point.withheld is None), key=_merit, default=None)


def _merit(point: Point) -> tuple[bool, bool, float]:
    measured = _is_measured(point)
    return measured, not measured and point.budget is None, point.quality.value


def _is_measured(point: Point) -> bool:
    return point.quality.kind == "measured"


def _beats(a: Point, b: Point, resource: str) -> bool:
    if (a.quality.kind, a.quality.measure) != (b.quality.kind, b.quality.measure):
        return False
    if a.withheld and not b.withheld:
        return False
    cost_a, cost_b, quality_a, quality_b = a.cost[resource], b.cost[resource], a.quality.value, b.quality.value
    return cost_a <= cost_b and quality_a >= quality_b and (cost_a < cost_b or quality_a > quality_b)
