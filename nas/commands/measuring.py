"""Measured quality: the trees that a search found, retrained."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from nas.commands.compare import Progress
from nas.commands.opening import OpenRun
from nas.data import DataSource
from nas.experiment import Point, Quality, TreeTraining
from nas.tree import read_tree

MEASURE = "minus validation loss, retrained"


def measure_points(
    run: OpenRun,
    data: DataSource,
    points: Sequence[Point],
    on_training: Callable[[Progress], None] = lambda _: None,
    on_epoch: Callable[[dict[str, Any]], None] = lambda _: None,
) -> list[Point]:
    """Retrain the trees that `search.measure` asks for; their points then have measured qualities, and keep estimates.

    All start fresh from the experiment's seed and follow its settings of retraining, so they can be compared. The
    trainings are those of `nas retrain`: one that is done is only read, one that was stopped goes on. What is
    measured is the validation split, at the best epoch; the test split decides nothing.
    """
    names = _chosen(points, run.experiment.search.measure)
    trees = {point.tree_id: point.tree for point in points}
    measured: dict[str, Quality] = {}
    for i, name in enumerate(names):
        tree = read_tree(run.folder.path / trees[name])
        training = TreeTraining(run.folder, run.experiment, tree, run.experiment.seed, "fresh")
        on_training(Progress(i, len(names), f"measure {name}", training))
        training.train(data, run.device, on_epoch)
        measured[name] = Quality(value=-training.validation_loss(), measure=MEASURE, kind="measured")
    return [
        point.model_copy(update={"quality": measured[point.tree_id], "estimate": point.quality})
        if point.tree_id in measured
        else point
        for point in points
    ]


def _chosen(points: Sequence[Point], measure: Literal["none", "all"] | int) -> list[str]:
    """Ids of distinct trees, by descending quality."""
    best_first = sorted(points, key=lambda point: -point.quality.value)
    names = list(dict.fromkeys(point.tree_id for point in best_first))
    if measure == "all":
        return names
    return [] if measure == "none" else names[:measure]
