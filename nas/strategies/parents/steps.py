"""The optimiser step of parent choice: weights and logits on one batch and one loss."""

from collections.abc import Sequence

import torch
from torch import Tensor

from nas.cost import expected_parent_cost
from nas.data import Batch
from nas.engine import SINGLE_PROCESS, Ranks
from nas.strategies.descent import Losses, descend, running, weighted_sum
from nas.strategies.parents.settings import ParentSettings
from nas.strategies.parents.state import ParentState
from nas.tasks import Task, task_losses
from nas.tree import CostTable


def weight_step(
    state: ParentState,
    batch: Batch,
    routings: Sequence[Tensor],
    tasks: Sequence[Task],
    settings: ParentSettings,
    ranks: Ranks = SINGLE_PROCESS,
) -> Losses:
    """Update the weights only, as in the warm-up. Only the nodes run from which a task with labels descends."""
    routings = [routing_KJ.detach() for routing_KJ in routings]
    labelled, losses = _losses(state, batch, routings, tasks, settings, ranks)
    if not labelled:
        return {}
    return descend(state.scaler, [state.weight_optimizer], weighted_sum(labelled, losses), losses, ranks)


def joint_step(
    state: ParentState,
    batch: Batch,
    routings: Sequence[Tensor],
    tasks: Sequence[Task],
    settings: ParentSettings,
    table: CostTable,
    budget: float | None,
    progress: float,
    *,
    resource: str = "macs",
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
    ranks: Ranks = SINGLE_PROCESS,
) -> Losses:
    """Update weights and logits on one batch (or this rank's part of it), by one loss.

    The loss is the weighted sum of the tasks' losses under sampled choices, plus the resource penalty once per task
    with a loss, on the expected cost under the sampler's probabilities, without noise. Weights of nodes from which no
    task with labels descends do not change. Nothing changes on a batch without labels.

    Differs from: Learning to Branch, which has no penalty.

    Args:
        routings: a sample that carries the gradient to ``state.logits``, the same on all ranks.
        budget: the target as an absolute amount of the resource; None if the search has no target.
        progress: share of the search after its warm-up, in [0, 1].
        resource: the resource of the penalised cost.
        temperature: of the sampler's probabilities.
        generator: random numbers of a sampled expected cost.
    """
    labelled, losses = _losses(state, batch, routings, tasks, settings, ranks)
    if not labelled:
        return {}
    choices = list(zip(state.logits, state.supernet.nodes, strict=True))
    probs = [settings.sampler.probabilities(*choice, temperature) for choice in choices]
    cost = expected_parent_cost(probs, table, resource, generator=generator)
    # The penalty uses the cost of separate networks as its unit.
    scale = table.separate_cost()[resource]
    penalty = settings.penalty.loss(state.penalty, cost, progress, budget, scale)
    total = weighted_sum(labelled, losses)
    regularisers = torch.stack([settings.sampler.regulariser(*choice, progress) for choice in choices])
    total = total + ranks.zero_unless_first(len(losses) * penalty.to(total) + regularisers.sum())
    seen = descend(state.scaler, [state.weight_optimizer, state.logits_optimizer], total, losses, ranks)
    state.penalty = settings.penalty.update(state.penalty, cost.item(), progress, budget, scale)
    return seen


def _losses(
    state: ParentState,
    batch: Batch,
    routings: Sequence[Tensor],
    tasks: Sequence[Task],
    settings: ParentSettings,
    ranks: Ranks,
) -> tuple[list[Task], Losses]:
    """The tasks that have labels on any rank, and this rank's part of their losses."""
    (shares,) = ranks.label_shares([batch.labels], [task.name for task in tasks])
    labelled = [task for task in tasks if task.name in shares]
    if not labelled:
        return [], {}
    names, compute = [task.name for task in labelled], settings.compute
    with running(batch, compute):
        inputs, every = compute.inputs(batch.inputs), settings.routing == "hard"
        outputs = state.supernet(inputs, routings, names, unread_gradients=every)
    outputs = compute.outputs(outputs)
    return labelled, ranks.weighted_losses(task_losses(labelled, outputs, batch), outputs, shares)
