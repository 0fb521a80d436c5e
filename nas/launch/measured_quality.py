"""Measure the quality of trees that a search found: retrain them and take their validation loss."""

from collections.abc import Callable, Sequence
from typing import Any

from nas.data import DataSource
from nas.launch.dispatch import Progress, train_tree
from nas.run import Point, Quality, TreeTraining, build_data
from nas.run.front import merit
from nas.run.opened_run import OpenRun
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
    """Retrain the trees that `goal.measure` selects; their points get measured qualities and keep their estimates.

    All trainings start fresh from the experiment's seed and use its `retrain` settings, so they can be compared. They
    are the trainings of `nas retrain`: a finished one is only read, a stopped one is continued. The quality is minus
    the validation loss of the best epoch; the test split is not used.

    Args:
        data: the run's data, if they have been built; several processes build their own.
    """
    if data is None and run.experiment.processes == 1:
        data = build_data(run.experiment)
    trainings = _trainings(run, points)
    # With distillation, teachers train first; trees share them.
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
    """The trees to measure by id, in the order in which the front would recommend them."""
    best_first = sorted(points, key=merit, reverse=True)
    files = {point.tree_id: run.folder.path / point.tree for point in best_first}
    measure = run.experiment.goal.measure
    number = {"none": 0, "all": len(files)}[measure] if isinstance(measure, str) else measure
    return {
        name: TreeTraining(run.folder, run.experiment, read_tree(path), run.experiment.seed, "fresh")
        for name, path in list(files.items())[:number]
    }
