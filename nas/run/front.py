"""The front: every tree a run found, dominated ones marked."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nas.discretize.constraints import Constraints
from nas.display import Displayed
from nas.files import read_record, write_json_atomically
from nas.strategies.confidence import Grade, grade


class Quality(BaseModel):
    """How good a tree is; higher is better. A search estimates it; a retraining measures it.

    Args:
        std: standard deviation of the value; None if it is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float
    measure: str
    kind: Literal["estimated", "measured"]
    std: float | None = Field(default=None, ge=0)

    @property
    def amount(self) -> str:
        """``-1.2278``, or ``-1.23 ± 0.02`` with one digit of the standard deviation."""
        if not self.std:
            return f"{self.value:.4f}"
        digits = min(4, max(0, -math.floor(math.log10(self.std))))
        return f"{self.value:.{digits}f} ± {self.std:.{digits}f}"


class Point(BaseModel):
    """One tree of the front.

    Args:
        tree: its file, relative to the run folder.
        trial, seed: the trial that found it; for a pooled point the first one that it pools.
        dominated: whether another point takes its place (see `make_front`).
        recommended: whether it is the recommended tree (see `make_front`).
        estimate: the search's estimate, if ``quality`` is measured.
        constraints: the constraints that `nas front` cut the tree with; None if they are those of the run's goal.
        confidence: probability, by the estimate, that the tree is better than the second-best tree of its budget; None
            if it is not known.
        pooled: numbers of the trials with different seeds that found it together (`nas.run.pooling`).
        withheld: why the search's estimate says nothing; None if it counts, or if ``quality`` is measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tree: str = Field(pattern=r"^(trials/\d+/)?trees/[0-9a-f]+\.json$")
    trial: int
    seed: int
    budget: float | None
    cost: dict[str, float]
    quality: Quality
    dominated: bool = False
    recommended: bool = False
    estimate: Quality | None = None
    constraints: Constraints | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    pooled: tuple[int, ...] = ()
    withheld: str | None = Field(default=None, max_length=4096)

    @property
    def tree_id(self) -> str:
        return Path(self.tree).stem

    @property
    def estimated(self) -> Quality | None:
        """The search's estimate."""
        return self.quality if self.quality.kind == "estimated" else self.estimate

    @property
    def measured(self) -> Quality | None:
        return self.quality if self.quality.kind == "measured" else None

    @property
    def grade(self) -> Grade | None:
        """The confidence in a word."""
        return grade(self.confidence)

    @property
    def grade_line(self) -> str | None:
        """The grade and what it means in one line; None without a grade."""
        if self.grade is None:
            return None
        sure = f"better than the second-best tree with probability {self.confidence:.2f}, by the estimate"
        return f"grade {self.grade}: {sure}"

    @property
    def scale(self) -> tuple[str, str, bool]:
        """Only qualities on the same scale are compared: the best of several seeds is lucky, their mean is not."""
        return self.quality.kind, self.quality.measure, bool(self.pooled and self.measured is None)


class Front(Displayed, BaseModel):
    """All points of a run, cheapest first; ``resource`` is the cost that counts."""

    picture: ClassVar[str | None] = "front"

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

    @property
    def leading(self) -> Point:
        """The recommended point; if all are withheld, the first one."""
        return self.best or self.points[0]

    @property
    def alike(self) -> list[Point]:
        """The points on the scale of the leading one: estimates and measurements cannot share an axis."""
        return [point for point in self.points if point.scale == self.leading.scale]

    def summary(self) -> str:
        best = self.best
        chosen = "no tree" if best is None else f"{best.tree_id}, {best.quality.kind} {best.quality.amount}"
        return f"{len(self.points)} trees by {self.resource}, recommended: {chosen}"

    def records(self) -> list[dict[str, Any]]:
        """A line for each point."""
        return [
            {
                "tree": point.tree_id,
                "trial": point.trial,
                "budget": point.budget,
                **point.cost,
                "quality": point.quality.value,
                "std": point.quality.std,
                "kind": point.quality.kind,
                "measure": point.quality.measure,
                "estimate": None if point.estimate is None else point.estimate.value,
                "confidence": point.confidence,
                "grade": point.grade,
                "recommended": point is self.best,
                "dominated": point.dominated,
                "withheld": point.withheld,
            }
            for point in self.points
        ]

    def write(self, path: Path) -> None:
        write_json_atomically(path, self.model_dump())

    @classmethod
    def read(cls, path: Path) -> "Front":
        """Raises InputError if the file is missing or malformed."""
        return read_record(path, cls)


def make_front(points: Sequence[Point], resource: str) -> Front:
    """Sort points by cost, mark the dominated ones, and recommend one.

    A point is dominated if another one with the same scale is at least as good in quality and in cost, and better in
    one of the two. The estimate of a single seed is also dominated if a pooled point includes it. The recommended point
    is the best non-dominated one: among the measured points if there are any, else among the pooled ones, else among
    those that a search chose without a budget, else among all. Estimates alone are a poor guide to how much to spend.
    Withheld points are not recommended, and dominate only each other.
    """
    points = [point.model_copy(update={"withheld": None}) if _is_measured(point) else point for point in points]
    marked = [
        point.model_copy(
            update={"dominated": any(_beats(other, point, resource) or _includes(other, point) for other in points)}
        )
        for point in points
    ]
    best = _best(marked)
    marked = [point.model_copy(update={"recommended": point is best}) for point in marked]
    return Front(resource=resource, points=tuple(sorted(marked, key=lambda p: (p.cost[resource], -p.quality.value))))


def _best(points: Sequence[Point]) -> Point | None:
    return max((point for point in points if not point.dominated and point.withheld is None), key=merit, default=None)


def merit(point: Point) -> tuple[bool, bool, bool, float]:
    """The order in which points are recommended, the best one last."""
    if point.measured is not None:
        return True, False, False, point.measured.value
    return False, bool(point.pooled), point.budget is None, point.quality.value


def _includes(pooled: Point, point: Point) -> bool:
    """Whether a point is the estimate of one seed for a budget, and another point pools this seed with others."""
    return (
        point.measured is None and not point.pooled and point.trial in pooled.pooled and point.budget == pooled.budget
    )


def _is_measured(point: Point) -> bool:
    return point.quality.kind == "measured"


def _beats(a: Point, b: Point, resource: str) -> bool:
    if a.scale != b.scale:
        return False
    if a.withheld and not b.withheld:
        return False
    cost_a, cost_b, quality_a, quality_b = a.cost[resource], b.cost[resource], a.quality.value, b.quality.value
    return cost_a <= cost_b and quality_a >= quality_b and (cost_a < cost_b or quality_a > quality_b)
