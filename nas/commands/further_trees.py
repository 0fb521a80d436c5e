"""Further trees for a finished run, cut from what its searches kept, without any training."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nas.commands.front import is_listed
from nas.data import Dataset, DataSource, SplitName
from nas.discretize import Constraints
from nas.errors import InputError
from nas.recipe import Experiment
from nas.report.figures import draw_figures
from nas.run import (
    Front,
    Point,
    Quality,
    RunFolder,
    TrialFolder,
    TrialParts,
    TrialResult,
    build_backbone,
    build_data,
    check_budgets,
    check_counted,
    make_front,
    write_outcome,
)
from nas.run.costs import read_costs, read_table
from nas.run.opened_run import OpenRun, Recipe, open_run
from nas.run.search_trial import keep_tree
from nas.strategies import Found
from nas.strategies.diagnosis import Diagnosis
from nas.strategies.protocol import Cut, cut_of
from nas.tree import CostTable


def add_trees(
    run: str | Path, changes: Mapping[str, Any], *, recipe: Recipe | None, allow_changed: bool
) -> tuple[RunFolder, Front, list[Point]]:
    """Cut trees for a changed goal, and add them to the run; returns it, its new front, and the points of the trees.

    Args:
        changes: ``goal.budgets``, ``goal.constraints`` or both.
    """
    opened = open_run(run, recipe=recipe, allow_changed=allow_changed)
    folder, strategy = opened.folder, opened.experiment.strategy
    if (cut := cut_of(strategy)) is None:
        raise InputError(
            f"{folder.path}: strategy {type(strategy).__name__} keeps nothing that other trees could be cut from; "
            "search again with these budgets and constraints"
        )
    with folder.locked():
        before = folder.front
        trials = {trial: outcome for trial in folder.trials if (outcome := _result(trial)) is not None}
        # All trials are cut before anything is written.
        cuts = [(trial, _cut(opened, trial, cut, changes)) for trial in trials]
        asked: list[Point] = []
        for trial, one in cuts:
            asked += _keep(folder, trial, trials[trial], one, asked)
        after = _joined(folder, before.points)
        table = read_costs(folder)
        assert table is not None
        draw_figures(folder, after, table, drawn={point.tree_id for point in before.points})
        after.write(folder.path / "front.json")
    return folder, after, asked


@dataclass(frozen=True)
class _CutTrial:
    """What a trial's strategy found for another goal; ``constraints`` is None if they are those of the run."""

    experiment: Experiment
    table: CostTable
    found: Found
    constraints: Constraints | None


class _DataOnDemand(DataSource):
    """The data of an experiment, opened when a split is needed: most trees are cut without samples."""

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment

    @cached_property
    def _source(self) -> DataSource:
        return build_data(self._experiment)

    def split(self, name: SplitName) -> Dataset:
        return self._source.split(name)


def _cut(opened: OpenRun, trial: TrialFolder, cut: Cut, changes: Mapping[str, Any]) -> _CutTrial:
    searched = trial.setting.experiment(opened.experiment)
    experiment, table = searched.with_fields(dict(changes)), read_table(trial.costs)
    before, goal = searched.goal.constraints, experiment.goal
    _require_same_prefix(before, goal.constraints)
    if goal.budgets:
        measured = opened.measure(opened.experiment.with_fields(trial.network_changes))
        check_counted(experiment, measured.uncounted, goal.budgets)
    check_budgets(experiment, table, goal.budgets)
    parts = TrialParts(build_backbone(experiment), _DataOnDemand(experiment), table)
    found = cut(parts.problem(experiment, opened.device, trial.store))
    return _CutTrial(experiment, table, found, None if goal.constraints == before else goal.constraints)


def _require_same_prefix(before: Constraints, after: Constraints) -> None:
    """InputError unless two constraints freeze the same blocks, since the networks were trained with these frozen."""
    frozen = [constraints.shared_prefix if constraints.frozen_prefix else 0 for constraints in (before, after)]
    if frozen[0] != frozen[1]:
        raise InputError(
            f"`constraints` freeze {frozen[1]} blocks, but the search trained with {frozen[0]} frozen blocks; state "
            "its frozen_prefix and shared_prefix, or search again"
        )


def _keep(
    folder: RunFolder, trial: TrialFolder, result: TrialResult, cut: _CutTrial, others: Iterable[Point]
) -> list[Point]:
    """Write the trees of a cut, their margins and points; returns the points without those that ``others`` have."""
    # The estimates of a search that has learned nothing say nothing about these trees either.
    withheld = next((point.withheld for point in result.points if point.withheld is not None), None)
    points = [
        keep_tree(folder, trial, cut.experiment, tree, cut.table, withheld).model_copy(
            update={"constraints": cut.constraints}
        )
        for tree in cut.found.trees
    ]
    known = [_learned(other) for other in others]
    points = [point for point in points if _learned(point) not in known]
    if cut.found.diagnosis is not None:
        diagnosis = Diagnosis.read(trial.path) or Diagnosis()
        diagnosis.with_margins(cut.found.diagnosis.margins).write(trial.path)
    new = [point for point in points if not is_listed(point, result.points)]
    write_outcome(trial.path, result.model_copy(update={"points": (*result.points, *new)}))
    return points


def _joined(folder: RunFolder, points: Sequence[Point]) -> Front:
    """The front of these points and those that the trials have beside them; measured trees stay measured."""
    measured = {point.tree: point.quality for point in points if point.quality.kind == "measured"}
    results = [result for trial in folder.trials if (result := _result(trial)) is not None]
    new = [point for result in results for point in result.points if not is_listed(point, points)]
    new = [
        point.model_copy(update={"quality": measured[point.tree], "estimate": point.quality})
        if point.tree in measured
        else point
        for point in new
    ]
    return make_front([*points, *new], folder.front.resource)


def _result(trial: TrialFolder) -> TrialResult | None:
    """The result of a trial that found trees."""
    outcome = trial.outcome
    return outcome if isinstance(outcome, TrialResult) and outcome.points else None


def _learned(point: Point) -> tuple[int, str, float | None, Quality]:
    """What two trials that differ only in their budgets have in common if they have learned the same."""
    return point.seed, point.tree_id, point.budget, point.quality
