"""From the validation losses of trainings to the results that the transfer model is fitted to."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from nas.strategies.evaluator import Evaluation
from nas.tree import BranchTree

_WINDOW = 0.2
"""The last epochs of a training over which its losses are averaged, as a share: a single epoch is noisier."""


def results_of(evaluations: Sequence[Evaluation], tasks: Sequence[str]) -> Tensor:
    """What each task reached, [N, T] in percent, higher is better; NaN where the tree lacks the task.

    It is -100 log(loss), averaged over the last epochs, so that a difference of 1 is about a percent of the loss. A
    task with a loss that is not positive gets -100 loss / (its root mean square) instead.
    """
    losses = [[_last(evaluation, task) for task in tasks] for evaluation in evaluations]
    columns = []
    for column in zip(*losses, strict=True):
        known = [loss for epochs in column for loss in epochs]
        size = math.sqrt(sum(loss * loss for loss in known) / max(1, len(known))) or 1.0
        positive = all(loss > 0.0 for loss in known)
        columns.append([_mean([-100.0 * (math.log(x) if positive else x / size) for x in epochs]) for epochs in column])
    return torch.tensor(columns, dtype=torch.float64).T


def longest_of(evaluations: Sequence[Evaluation]) -> list[Evaluation]:
    """The longest evaluation of each tree, in the order in which the trees came."""
    longest: dict[BranchTree, Evaluation] = {}
    for evaluation in evaluations:
        known = longest.get(evaluation.tree)
        if known is None or len(evaluation.validation) > len(known.validation):
            longest[evaluation.tree] = evaluation
    return list(longest.values())


def record_of(evaluation: Evaluation, epoch: int) -> dict[str, Any]:
    """A training as an epoch of the search's history."""
    last = evaluation.validation[-1]
    return {
        "epoch": epoch,
        "phase": f"tree {evaluation.tree.id} trained for {len(evaluation.validation)} epochs",
        "losses": {name: last[name]["loss"] for name in evaluation.tree.tasks},
    }


def at_both_lengths(evaluations: Sequence[Evaluation], short: int) -> list[Evaluation]:
    """One row per training and length: a longer training counts at its length, and its beginning at the short one."""
    rows = []
    for evaluation in longest_of(evaluations):
        if len(evaluation.validation) > short:
            rows.append(replace(evaluation, validation=evaluation.validation[:short]))
        rows.append(evaluation)
    return rows


def _last(evaluation: Evaluation, task: str) -> list[float]:
    if task not in evaluation.tree.tasks:
        return []
    count = max(1, round(_WINDOW * len(evaluation.validation)))
    return [measured[task]["loss"] for measured in evaluation.validation[-count:]]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else math.nan
