"""The two steps of a bilevel search. Each changes its own parameters and leaves the other's bitwise alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from nas.bilevel.settings import SearchSettings
from nas.bilevel.state import SearchState
from nas.cost import expected_cost
from nas.data import Batch
from nas.errors import blaming
from nas.supernet import Supernet
from nas.tasks import Task, task_losses
from nas.tree import CostTable

Losses = dict[str, Tensor]
"""Detached, unweighted mean loss of each task that the batch has labels for."""


def weight_step(
    state: SearchState, batch: Batch, routing_LTC: Tensor, tasks: Sequence[Task], settings: SearchSettings
) -> Losses:
    """Update the weights on one batch under a fixed routing.

    ``per_task`` takes one optimiser step per task, as BMTAS does; ``joint`` one step on the weighted sum.
    Weights that no labelled task reaches get no gradient and are not touched.
    """
    routing_LTC = routing_LTC.detach()
    turns = [[task] for task in tasks] if settings.weight_step == "per_task" else [list(tasks)]
    seen: Losses = {}
    for turn in turns:
        labelled = [task for task in turn if task.name in batch.labels]
        if not labelled:
            continue
        losses = _losses(state, batch, routing_LTC, labelled, settings)
        if not losses:
            continue
        state.weight_optimizer.zero_grad(set_to_none=True)
        _descend(state, state.weight_optimizer, weighted_sum(labelled, losses))
        seen |= {name: loss.detach() for name, loss in losses.items()}
    return seen


def logits_step(
    state: SearchState,
    batch: Batch,
    routing_LTC: Tensor,
    tasks: Sequence[Task],
    settings: SearchSettings,
    table: CostTable,
    budget: float | None,
    progress: float,
    generator: torch.Generator | None = None,
) -> Losses:
    """Update the logits on one batch: the tasks' losses under a sampled routing, plus the resource penalty.

    The penalty is on the expected cost of softmax(logits), without noise, and is added once per task with a
    loss, as BMTAS does; gradients are summed over the tasks and one step is taken. Nothing changes on a batch
    without labels.

    Args:
        routing_LTC: a sample that carries the gradient to ``state.logits_LTC``.
        budget: absolute, in the settings' resource; None if the search has no target.
        progress: share of the search after its warm-up, in [0, 1].
        generator: of the paths that a sampled expected cost draws, where there are too many tasks for the exact one.
    """
    labelled = [task for task in tasks if task.name in batch.labels]
    if not labelled:
        return {}
    with _frozen(state.supernet):
        losses = _losses(state, batch, routing_LTC, labelled, settings)
        cost = expected_cost(torch.softmax(state.logits_LTC, dim=-1), table, settings.resource, generator=generator)
        penalty = settings.penalty.loss(state.penalty, cost, progress, budget, table_scale(table, settings))
        total = weighted_sum(labelled, losses) + len(losses) * penalty.to(state.logits_LTC)
        state.logits_optimizer.zero_grad(set_to_none=True)
        _descend(state, state.logits_optimizer, total)
    state.penalty = settings.penalty.update(state.penalty, cost.item(), progress, budget, table_scale(table, settings))
    return {name: loss.detach() for name, loss in losses.items()}


def table_scale(table: CostTable, settings: SearchSettings) -> float:
    """The cost of separate networks: the unit in which the penalty measures."""
    return table.separate_cost()[settings.resource]


def weighted_sum(tasks: Sequence[Task], losses: Losses) -> Tensor:
    """sum_t weight_t loss_t over the tasks that have a loss."""
    return torch.stack([task.weight * losses[task.name] for task in tasks if task.name in losses]).sum()


def _losses(
    state: SearchState, batch: Batch, routing_LTC: Tensor, tasks: Sequence[Task], settings: SearchSettings
) -> Losses:
    with (
        blaming(f"the backbone does not run on inputs of shape {list(batch.inputs.shape)}"),
        settings.compute.autocast(batch.inputs.device),
    ):
        inputs = settings.compute.inputs(batch.inputs)
        outputs = state.supernet(inputs, routing_LTC, [task.name for task in tasks])
    return task_losses(tasks, settings.compute.outputs(outputs), batch)


def _descend(state: SearchState, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    state.scaler.step(optimizer)
    state.scaler.update()


@contextmanager
def _frozen(supernet: Supernet) -> Iterator[None]:
    """No gradients for weights, which also saves computing them."""
    trained = [parameter for parameter in supernet.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
