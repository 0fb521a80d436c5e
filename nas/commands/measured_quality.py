"""Measured quality: the trees that a search found, retrained."""

from collections.abc import Callable, Sequence
from typing import Any

from nas.commands.compare import Progress
from nas.commands.opened_run import OpenRun
from nas.commands.processes import train_tree
from nas.data import DataSource
from nas.run import Point, Quality, TreeTraining, build_data
from nas.tree import read_tree

MEASURE = "minus validation loss, retrained"


def measure_points(
    run: OpenRun,
    data: DataSource | None,
    points: Sequence[Point],
    on_training: Callable[[Progress], None] = lambda _: None,
    on_epoch: Callable[[dict[str, Any]], None] = lambda _: None,
    address: str | None = None,
) -> list[Point]:
    """Retrain the trees that `goal.measure` asks for; their points then have measured qualities, and keep estimates.

    All start fresh from the experiment's seed and follow its settings of retraining, so they can be compared. The
    trainings are those of `nas retrain`: one that is done is only read, one that was stopped goes on. What is
    measured is the validation split, at the best epoch; the test split decides nothing.

    Args:
        data: the run's, if it has been built; several processes build their own.
    """
    if data is None and run.experiment.processes == 1:
        data = build_data(run.experiment)
    trainings = _trainings(run, points)
    # Teachers, where there are any, train first and are shared.
    turns = list({t.folder: t for training in trainings.values() for t in (*training.teachers(), training)}.values())
    for i, training in enumerate(turns):
        name = f"measure {training.tree.id}" if training.tree.id in trainings else f"teacher {training.tree.tasks[0]}"
        on_training(Progress(i, len(turns), name, training))
        train_tree(run, training, data, on_epoch, address)
    measured = {
        name: Quality(value=-training.validation_loss(), measure=MEASURE, kind="measured")
        for name, training in trainings.items()
    }
    return [
        point.model_copy(update={"quality": measured[point.tree_id], "estimate": point.quality})
        if point.tree_id in measured
        else point
        for point in points
    ]


def _trainings(run: OpenRun, points: Sequence[Point]) -> dict[str, TreeTraining]:
    """By id, the trees to measure: what a search chose without a budget first, then by descending quality."""
    best_first = sorted(points, key=lambda point: (point.budget is not None, -point.quality.value))
    files = {point.tree_id: run.folder.path / point.tree for point in best_first}
    measure = run.experiment.goal.measure
    number = {"none": 0, "all": len(files)}[measure] if isinstance(measure, str) else measure
    return {
        name: TreeTraining(run.folder, run.experiment, read_tree(path), run.experiment.seed, "fresh")
        for name, path in list(files.items())[:number]
    }
