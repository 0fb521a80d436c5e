"""One step of training a discrete network, on one batch or on several."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nas.data import Batch
from nas.engine import SINGLE_PROCESS, Ranks
from nas.engine.compute import ComputeSettings
from nas.engine.optimizer import set_learning_rate
from nas.networks.backbone import explaining_in_place_errors
from nas.networks.branched import BranchedNetwork
from nas.tasks import Task, task_losses
from nas.training.distill import Distillation
from nas.training.evaluate import run_network
from nas.training.settings import TrainingSettings
from nas.training.state import TrainingState


class StepLosses(NamedTuple):
    """The losses that a step lowered, by task, and their sum with the tasks' weights; without gradients."""

    by_task: dict[str, Tensor]
    total: Tensor


def train_step(
    state: TrainingState,
    tasks: Sequence[Task],
    batches: Sequence[Batch],
    settings: TrainingSettings,
    lr_factor: float,
    distillation: Distillation | None = None,
    ranks: Ranks = SINGLE_PROCESS,
) -> StepLosses | None:
    """Change the weights once, by the gradient of

        sum_t factor_t weight_t (loss_t + distillation_t)

    where a loss is the mean over all samples of the batches, on all ranks, that have the label, the distillation that
    over all samples, and the factors are the balance's, or 1. A task that has neither plays no part; if none has, there
    is no step.

    Args:
        tasks: those of the network.
        batches: on the network's device, of each this rank's part; batch statistics are each batch's own.
        lr_factor: of the learning rates.
        ranks: those that share the batches.
    """
    set_learning_rate(state.optimizer, lr_factor)
    state.optimizer.zero_grad(set_to_none=True)
    factors = None if state.balance is None else _same(state.balance.factors(), ranks)
    shares = ranks.label_shares([batch.labels for batch in batches], [task.name for task in tasks])
    num_samples = ranks.size * sum(len(batch.inputs) for batch in batches)
    seen = []
    for batch, part_shares in zip(batches, shares, strict=True):
        part = _Part(batch, part_shares, len(batch.inputs) / num_samples)
        losses = _losses(state.network, tasks, part, settings.compute, distillation, ranks)
        if losses:
            seen.append(_backward(state, tasks, losses, factors))
    if not seen:
        return None
    step = _reduced(state, seen[0] if len(seen) == 1 else _added(seen), ranks)
    if settings.clip_norm is not None:
        state.scaler.unscale_(state.optimizer)
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), settings.clip_norm)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    if state.average is not None:
        state.average.update(state.network)
    if state.balance is not None:
        weights = {task.name: task.weight for task in tasks}
        state.balance.learn({name: weights[name] * loss for name, loss in step.by_task.items()}, lr_factor)
    return step


class _Part(NamedTuple):
    """A batch of a step here, its part of each task's labels in the step, and its part of the samples."""

    batch: Batch
    label_shares: Mapping[str, float]
    sample_share: float


def _losses(
    network: BranchedNetwork,
    tasks: Sequence[Task],
    part: _Part,
    compute: ComputeSettings,
    distillation: Distillation | None,
    ranks: Ranks,
) -> dict[str, Tensor]:
    """What one batch here adds to the losses of a step, by task."""
    inputs = compute.inputs(part.batch.inputs)
    with compute.autocast(inputs.device):
        outputs = run_network(network, inputs)
    outputs = compute.outputs(outputs)
    losses = ranks.weighted_losses(task_losses(tasks, outputs, part.batch), outputs, part.label_shares)
    if distillation is not None:
        for name, difference in distillation.losses(tasks, outputs, inputs).items():
            losses[name] = part.sample_share * difference + losses.get(name, 0.0)
    return losses


def _same(factors: Mapping[str, Tensor], ranks: Ranks) -> Mapping[str, Tensor]:
    """Rank 0's factors, which may be drawn."""
    if ranks.size == 1:
        return factors
    return dict(zip(factors, ranks.broadcast(torch.stack(list(factors.values()))), strict=True))


def _backward(
    state: TrainingState, tasks: Sequence[Task], losses: Mapping[str, Tensor], factors: Mapping[str, Tensor] | None
) -> StepLosses:
    """Add the gradients of the losses to those that are there, each task's to its own where they are kept apart."""
    weighted = {task.name: task.weight * losses[task.name] for task in tasks if task.name in losses}
    total = lowered = torch.stack(list(weighted.values())).sum()
    if factors is not None:
        weighted = {name: factors[name] * loss for name, loss in weighted.items()}
        lowered = torch.stack(list(weighted.values())).sum()
    with explaining_in_place_errors():
        if state.aggregation is None:
            state.scaler.scale(lowered).backward()  # type: ignore[no-untyped-call]
        else:
            state.aggregation.add({name: state.scaler.scale(loss) for name, loss in weighted.items()})
    return StepLosses({name: loss.detach() for name, loss in losses.items()}, total.detach())


def _reduced(state: TrainingState, step: StepLosses, ranks: Ranks) -> StepLosses:
    """Sum gradients and losses over the ranks; where tasks' gradients are kept apart, they become one afterwards."""
    parameters = list(state.network.parameters())
    losses = list(step.by_task.values())
    if state.aggregation is None:
        summed = ranks.reduce(parameters, [*losses, step.total])
    else:
        state.aggregation.reduce(ranks)
        state.aggregation.write(state.scaler.get_scale())
        # Some methods draw random numbers, of which every rank has its own.
        ranks.copy_from_first(parameter.grad for parameter in parameters if parameter.grad is not None)
        summed = ranks.reduce((), [*losses, step.total])
    return StepLosses(dict(zip(step.by_task, summed, strict=False)), summed[-1])


def _added(parts: Sequence[StepLosses]) -> StepLosses:
    by_task: dict[str, Tensor] = {}
    for part in parts:
        for name, loss in part.by_task.items():
            by_task[name] = by_task[name] + loss if name in by_task else loss
    return StepLosses(by_task, torch.stack([part.total for part in parts]).sum())
