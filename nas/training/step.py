"""One step of training a discrete network, on one batch or on several."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nas.compute import ComputeSettings
from nas.data import Batch
from nas.network import BranchedNetwork
from nas.optimizer import set_learning_rate
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
) -> StepLosses | None:
    """Change the weights once, by the gradient of

        sum_t factor_t weight_t (loss_t + distillation_t)

    where a loss is the mean over all samples of the batches that have the label, the distillation that over all
    samples, and the factors are the balance's, or 1. A task that has neither plays no part; if none has, there is no
    step.

    Args:
        tasks: those of the network.
        batches: on the network's device; batch statistics are each one's own.
        lr_factor: of the learning rates.
    """
    set_learning_rate(state.optimizer, lr_factor)
    state.optimizer.zero_grad(set_to_none=True)
    factors = None if state.balance is None else state.balance.factors()
    seen = []
    for batch in batches:
        losses = _losses(state.network, tasks, batch, batches, settings.compute, distillation)
        if losses:
            seen.append(_backward(state, tasks, losses, factors))
    if not seen:
        return None
    if state.aggregation is not None:
        state.aggregation.write(state.scaler.get_scale())
    if settings.clip_norm is not None:
        state.scaler.unscale_(state.optimizer)
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), settings.clip_norm)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    if state.average is not None:
        state.average.update(state.network)
    step = seen[0] if len(seen) == 1 else _added(seen)
    if state.balance is not None:
        weights = {task.name: task.weight for task in tasks}
        state.balance.learn({name: weights[name] * loss for name, loss in step.by_task.items()}, lr_factor)
    return step


def _losses(
    network: BranchedNetwork,
    tasks: Sequence[Task],
    batch: Batch,
    batches: Sequence[Batch],
    compute: ComputeSettings,
    distillation: Distillation | None,
) -> dict[str, Tensor]:
    """What one batch adds to the losses of all batches of a step, by task."""
    inputs = compute.inputs(batch.inputs)
    with compute.autocast(inputs.device):
        outputs = run_network(network, inputs)
    outputs = compute.outputs(outputs)
    losses = task_losses(tasks, outputs, batch)
    if len(batches) > 1:
        losses = {name: loss * _share_of_labels(name, batch, batches) for name, loss in losses.items()}
    if distillation is not None:
        share = len(inputs) / sum(len(other.inputs) for other in batches)
        for name, difference in distillation.losses(tasks, outputs, inputs).items():
            losses[name] = share * difference + losses.get(name, 0.0)
    return losses


def _share_of_labels(name: str, batch: Batch, batches: Sequence[Batch]) -> float:
    return len(batch.labels[name]) / sum(len(other.labels[name]) for other in batches if name in other.labels)


def _backward(
    state: TrainingState, tasks: Sequence[Task], losses: Mapping[str, Tensor], factors: Mapping[str, Tensor] | None
) -> StepLosses:
    """Add the gradients of the losses to those that are there, each task's to its own where they are kept apart."""
    weighted = {task.name: task.weight * losses[task.name] for task in tasks if task.name in losses}
    total = lowered = torch.stack(list(weighted.values())).sum()
    if factors is not None:
        weighted = {name: factors[name] * loss for name, loss in weighted.items()}
        lowered = torch.stack(list(weighted.values())).sum()
    if state.aggregation is None:
        state.scaler.scale(lowered).backward()  # type: ignore[no-untyped-call]
    else:
        state.aggregation.add({name: state.scaler.scale(loss) for name, loss in weighted.items()})
    return StepLosses({name: loss.detach() for name, loss in losses.items()}, total.detach())


def _added(parts: Sequence[StepLosses]) -> StepLosses:
    by_task: dict[str, Tensor] = {}
    for part in parts:
        for name, loss in part.by_task.items():
            by_task[name] = by_task[name] + loss if name in by_task else loss
    return StepLosses(by_task, torch.stack([part.total for part in parts]).sum())
