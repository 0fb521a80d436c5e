"""`nas front`: the front of a finished run, and further trees for it without any training."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.discretize import Constraints
from nas.display import Displayed
from nas.errors import InputError
from nas.report.save import check_look
from nas.report.theme import ThemeName
from nas.run import Front, Point, RunFolder
from nas.run.costs import read_costs
from nas.run.curve_record import CurveRecord

if TYPE_CHECKING:
    from nas.run.opened_run import Recipe


@dataclass(frozen=True, repr=False)
class RunFront(Displayed):
    """The front of a run.

    Args:
        path: the run folder.
        front: all points of the run.
        asked: the points of the trees that were asked for, whether they are new or the run had them before.
        curve: the curve of the trial that found the recommended tree; None if its strategy has none.
        separate: cost of separate networks, in the front's resource.
    """

    path: Path
    front: Front
    asked: tuple[Point, ...]
    curve: CurveRecord | None
    separate: float

    @property
    def pictured(self) -> Front:
        return self.front

    def summary(self) -> str:
        return f"{self.path}: {self.front.summary()}"

    def records(self) -> list[dict[str, Any]]:
        """The lines of the front."""
        return self.front.records()

    def to_dict(self) -> dict[str, Any]:
        """Plain data: the fields of ``front.json``, the points that were asked for, and the curve."""
        curve = None if self.curve is None else self.curve.model_dump(exclude={"points": {"__all__": {"partitions"}}})
        asked = [point.model_dump() for point in self.asked]
        return {"run": str(self.path), **self.front.model_dump(), "asked": asked, "curve": curve}


def front(
    run: str | Path,
    *,
    budgets: Sequence[float] | None = None,
    constraints: Constraints | Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    theme: ThemeName | None = None,
    transparent: bool = False,
    recipe: "Recipe | None" = None,
    allow_changed: bool = False,
) -> RunFront:
    """The front of a finished run. With budgets or constraints, trees that keep them join it, without any training.

    Each trial's strategy makes the trees from what its search kept (``cut`` in `nas.strategies.protocol`). They are the
    trees of a search with these budgets and constraints if its training depends on neither, as with `Similarity`. The
    trees, their points and margins join those in the folders of their trials, so that every command finds them, and a
    run that is extended keeps them. If the command is killed, repeating it completes the front.

    Args:
        run: the folder of a finished search.
        budgets: shares in (0, 1] of the cost of separate networks, or absolute amounts; by default the run's.
        constraints: take the place of the run's constraints; the names of the fields are those of `Constraints`.
        out: a png, svg or pdf file, into which the front is drawn.
        theme, transparent: as for `nas.show`.
        recipe: the recipe of the run, if it was moved. Without budgets and constraints no recipe is imported.
        allow_changed: accept a recipe that has changed since the run began.

    Raises:
        InputError: the search is not finished, a budget or the constraints allow no tree (the message names the
            smallest feasible budget), or the strategy keeps nothing to cut trees from.
    """
    look = check_look(out, theme, transparent)
    if budgets is None and constraints is None:
        folder = RunFolder.open(Path(run))
        shown = _shown(folder, folder.front)
    else:
        from nas.commands.further_trees import add_trees

        goal = {"goal.budgets": budgets, "goal.constraints": constraints}
        changes = {name: value for name, value in goal.items() if value is not None}
        folder, front, asked = add_trees(run, changes, recipe=recipe, allow_changed=allow_changed)
        shown = _shown(folder, front, asked)
    if out is not None and (table := read_costs(folder)) is not None:
        from nas.report import save_figure
        from nas.report.figures import front_figure

        save_figure(front_figure(folder, shown.front, table, look), out, transparent=transparent)
    return shown


def is_listed(point: Point, points: Iterable[Point]) -> bool:
    """Whether a trial's tree is among points, for the same budget and constraints."""
    return any(_asked_for(point) == _asked_for(other) for other in points)


def _asked_for(point: Point) -> tuple[str, float | None, Constraints | None]:
    return point.tree, point.budget, point.constraints


def _shown(folder: RunFolder, front: Front, asked: Iterable[Point] = ()) -> RunFront:
    table, curve = read_costs(folder, front.leading.trial), folder.trial(front.leading.trial).curve
    if table is None or front.resource not in table.resources:
        raise InputError(f"{folder.path}: its trial {front.leading.trial} has no costs.json with {front.resource}")
    shown = tuple(point for point in front.points if is_listed(point, list(asked)))
    return RunFront(folder.path, front, shown, curve, table.separate_cost()[front.resource])
