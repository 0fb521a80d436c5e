"""From trainings to the transfer model, and from the model to the record of a search."""

import math
from collections.abc import Iterable, Sequence

from numpy.typing import ArrayLike

from nas.errors import InputError
from nas.strategies.evaluator import Evaluation
from nas.strategies.transfer.model import TransferModel
from nas.strategies.transfer.record import TrainedTree, TransferRecord
from nas.strategies.transfer.results import results_of
from nas.tree import BranchTree


def fit_model(searches: Sequence[TransferRecord], advice: ArrayLike | None) -> TransferModel:
    """The posterior by the trainings of one search, or of several ones that differ in their seeds.

    Args:
        advice: the dissimilarities of the tasks, [L, T, T], if they are known.

    Raises:
        InputError: the searches have other tasks or blocks.
    """
    first = searches[0]
    if any((one.tasks, one.blocks) != (first.tasks, first.blocks) for one in searches):
        raise InputError("measured searches of several seeds must have the same tasks and blocks")
    rows = [(number, one, row) for number, one in enumerate(searches) for row in one.trainings]
    return TransferModel.fit(
        [row.tree for _, _, row in rows],
        [[row.results.get(task, math.nan) for task in first.tasks] for _, _, row in rows],
        tasks=first.tasks,
        lengths_N=[row.num_epochs / one.full_epochs for _, one, row in rows],
        searches_N=[number for number, _, _ in rows],
        prior=advice,
    )


def trained_trees(evaluations: Sequence[Evaluation], tasks: Sequence[str]) -> tuple[TrainedTree, ...]:
    """Evaluations as the record has them."""
    results = results_of(evaluations, tasks).tolist()
    return tuple(
        TrainedTree(
            partitions=row.tree.partitions,
            num_epochs=len(row.validation),
            results={name: value for name, value in zip(tasks, values, strict=True) if math.isfinite(value)},
        )
        for row, values in zip(evaluations, results, strict=True)
    )


def learned(record: TransferRecord, model: TransferModel, trees: Iterable[BranchTree]) -> TransferRecord:
    """The record with what the model says about pairs of tasks, and about these trees and the trained ones."""
    every = list(dict.fromkeys([*trees, *(row.tree for row in record.trainings)]))
    every = [tree for tree in every if len(tree.tasks) == len(model.tasks)]
    means_NT, errors_NT = (values.tolist() for values in model.gains(every))
    gains = {
        tree.id: dict(zip(model.tasks, zip(means, errors, strict=True), strict=True))
        for tree, means, errors in zip(every, means_NT, errors_NT, strict=True)
    }
    what = {
        "effects_LTT": model.effects_LTT.tolist(),
        "errors_LTT": model.errors_LTT.tolist(),
        "covariances_TTLL": model.covariances_TTLL.tolist(),
        "correlation": model.correlation,
        "noise": dict(zip(model.tasks, model.noise_T.tolist(), strict=True)),
        "gains": gains,
    }
    return TransferRecord.model_validate({**record.model_dump(), **what})
