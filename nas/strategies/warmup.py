"""The own-copy warm-up of a trial, which either strategy can start from."""

from collections.abc import Callable
from typing import Any

import torch

from nas.checkpoint import CheckpointFolder
from nas.discretize import Curve, discretize
from nas.experiment import Experiment, TrialFolder, TrialParts
from nas.experiment.inheriting import write_dissimilarity
from nas.parallel import ALONE, Ranks
from nas.similarity import Dissimilarity, WarmUp, WarmUpState, measure_dissimilarity
from nas.strategies.tried import TriedSteps, state_bytes


def make_warmup(
    experiment: Experiment,
    parts: TrialParts,
    device: torch.device,
    *,
    affine_last_norm: bool = True,
    ranks: Ranks = ALONE,
) -> WarmUp:
    """The warm-up of an experiment."""
    return WarmUp(
        experiment.tasks,
        parts.data,
        experiment.similarity,
        seed=experiment.seed,
        device=device,
        num_workers=experiment.num_workers,
        affine_last_norm=affine_last_norm,
        ranks=ranks,
    )


def run_warmup(
    warmup: WarmUp,
    parts: TrialParts,
    folder: TrialFolder,
    checkpoints: CheckpointFolder,
    on_epoch: Callable[[dict[str, Any]], None],
) -> tuple[WarmUpState, Dissimilarity]:
    """Train from the last checkpoint to the end, and write what was measured into the trial's folder.

    Every rank measures, on the same inputs: it takes seconds, and no rank waits.
    """
    state = warmup.start(parts.backbone)
    if (saved := warmup.ranks.from_first(checkpoints.latest)) is not None:
        state.load(saved, str(checkpoints.folder))

    def record(epoch: dict[str, Any]) -> None:
        folder.write_metrics(state.history)
        on_epoch(epoch)

    folder.write_metrics(state.history)
    warmup.run(state, checkpoints, record)
    measured = measure_dissimilarity(warmup, state.copies, parts.backbone)
    write_dissimilarity(measured, folder.path)
    return state, measured


def sufficient_cost(experiment: Experiment, parts: TrialParts, measured: Dissimilarity) -> float:
    """What it costs to keep all tasks apart that differ by more than what the settings tolerate."""
    curve = curve_of(experiment, parts, measured, experiment.similarity.tolerance)
    return curve[len(curve) - 1].cost


def try_warmup(experiment: Experiment, parts: TrialParts, device: torch.device) -> TriedSteps:
    """One step of the warm-up, and how long all would take."""
    warmup = make_warmup(experiment, parts, device)
    state = warmup.start(parts.backbone)
    # The first step pays for allocations and algorithm choices.
    warmup.try_steps(state)
    losses, seconds = warmup.try_steps(state)
    return TriedSteps(losses, seconds, state_bytes(state.copies))


def curve_of(experiment: Experiment, parts: TrialParts, measured: Dissimilarity, times: float = 1.0) -> Curve:
    """The curve of the dissimilarities above so many times the noise floor, under the experiment's constraints."""
    return discretize(
        experiment.task_names,
        measured.above_floor(times),
        parts.table,
        experiment.search.resource,
        constraints=experiment.search.constraints,
    )
