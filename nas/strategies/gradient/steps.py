"""The two optimiser steps of a bilevel search: one changes only the weights, the other only the logits."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from nas.cost import expected_cost
from nas.data import Batch
from nas.engine import SINGLE_PROCESS, Ranks
from nas.networks.backbone import explaining_in_place_errors
from nas.networks.supernet import Supernet
from nas.strategies.descent import Losses, Shares, descend, running, weighted_sum
from nas.strategies.gradient.settings import GradientSettings
from nas.strategies.gradient.state import SearchState
from nas.tasks import Task, task_losses
from nas.tree import CostTable


def weight_step(
    state: SearchState,
    batch: Batch,
    routing_LTC: Tensor,
    tasks: Sequence[Task],
    settings: GradientSettings,
    ranks: Ranks = SINGLE_PROCESS,
) -> Losses:
    """Update the weights on one batch (or this rank's part of it) under a fixed routing, the same on all ranks.

    ``per_task`` takes one optimiser step per task, as BMTAS does; ``joint`` takes one step on the weighted sum.
    Weights that no task with labels uses do not change.
    """
    routing_LTC = routing_LTC.detach()
    turns = [[task] for task in tasks] if settings.weight_step == "per_task" else [list(tasks)]
    (shares,) = ranks.label_shares([batch.labels], [task.name for task in tasks])
    seen: Losses = {}
    for turn in turns:
        labelled = [task for task in turn if task.name in shares]
        if not labelled:
            continue
        losses = ranks.weighted_losses(*_losses(state, batch, routing_LTC, labelled, settings), shares)
        seen |= descend(state.scaler, [state.weight_optimizer], weighted_sum(labelled, losses), losses, ranks)
    return seen


def logits_step(
    state: SearchState,
    batch: Batch,
    routing_LTC: Tensor,
    tasks: Sequence[Task],
    settings: GradientSettings,
    table: CostTable,
    budget: float | None,
    progress: float,
    *,
    resource: str = "macs",
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
    ranks: Ranks = SINGLE_PROCESS,
) -> Losses:
    """Update the logits on one batch: the tasks' losses under a sampled routing, plus the resource penalty.

    The penalty is on the expected cost under the sampler's probabilities, without noise, and is added once per task
    with a loss, as BMTAS does; gradients are summed over the tasks and one step is taken. Nothing changes on a batch
    without labels.

    With one-path routing only the sampled candidates run, as the network of their tree. The routing weight of the
    sampled candidate s of task t at block l gets the gradient

        <d loss_t / d x_{l+1,t}, x_{l+1,t}>,   x_{l+1,t} = block[l][s](x_{l,t})

    which reaches the logits through the soft sample; the weights of the other candidates get no gradient. This takes
    one forward pass of the tree, and for each task one backward pass along its path: T L block evaluations, while
    running all candidates takes T C L.

    Differs from GDAS (Dong and Yang, CVPR 2019): its published code gives the weight of a candidate that did not run
    the sum of d loss / d x, as if its output were one everywhere. Differs from straight-through ("hard"): there all
    candidates run and get ``<d loss_t / d x_{l+1,t}, block[l][c](x_{l,t})>``; here only the term of the sampled
    candidate remains. The estimate is biased: contributions that are equal for all candidates of a block cancel in the
    straight-through gradient, but not here. If the loss does not depend on the scale of x_{l+1,t}, as before a
    convolution with BatchNorm, the inner product is zero (Euler), and the logits learn only from the penalty.

    Args:
        batch: the batch, or this rank's part of it.
        routing_LTC: a sample that carries the gradient to ``state.logits_LTP``.
        budget: the target as an absolute amount of the resource; None if the search has no target.
        progress: share of the search after its warm-up, in [0, 1].
        resource: the resource of the penalised cost.
        temperature: of the sampler's probabilities.
        generator: random numbers for the paths of a sampled expected cost, which is used with too many tasks for the
            exact one.
        ranks: processes that share the batch; all have the same routing.
    """
    (shares,) = ranks.label_shares([batch.labels], [task.name for task in tasks])
    labelled = [task for task in tasks if task.name in shares]
    if not labelled:
        return {}
    with _frozen(state.supernet):
        if settings.routing == "one_path":
            losses, total = _one_path_losses(state, batch, routing_LTC, labelled, settings, ranks, shares)
        else:
            losses = ranks.weighted_losses(*_losses(state, batch, routing_LTC, labelled, settings), shares)
            total = weighted_sum(labelled, losses)
        choices = (state.logits_LTP, state.supernet.num_candidates)
        probs_LTC = settings.sampler.probabilities(*choices, temperature)
        cost = expected_cost(probs_LTC, table, resource, generator=generator)
        # The penalty uses the cost of separate networks as its unit.
        scale = table.separate_cost()[resource]
        penalty = settings.penalty.loss(state.penalty, cost, progress, budget, scale)
        penalty = len(losses) * penalty.to(probs_LTC) + settings.sampler.regulariser(*choices, progress)
        total = total + ranks.zero_unless_first(penalty)
        seen = descend(state.scaler, [state.logits_optimizer], total, losses, ranks)
    state.penalty = settings.penalty.update(state.penalty, cost.item(), progress, budget, scale)
    return seen


def _losses(
    state: SearchState, batch: Batch, routing_LTC: Tensor, tasks: Sequence[Task], settings: GradientSettings
) -> tuple[Losses, dict[str, Tensor]]:
    """The tasks' losses, and the outputs that they come from."""
    with running(batch, settings.compute):
        outputs = state.supernet(settings.compute.inputs(batch.inputs), routing_LTC, [task.name for task in tasks])
    outputs = settings.compute.outputs(outputs)
    return task_losses(tasks, outputs, batch), outputs


def _one_path_losses(
    state: SearchState,
    batch: Batch,
    routing_LTC: Tensor,
    tasks: Sequence[Task],
    settings: GradientSettings,
    ranks: Ranks,
    shares: Shares,
) -> tuple[Losses, Tensor]:
    """The losses under a one-hot routing, and a term whose gradient is that of `logits_step`'s formula."""
    supernet, names = state.supernet, [task.name for task in tasks]
    one_hot_LTC = routing_LTC.detach()
    with running(batch, settings.compute):
        stem = supernet.start(settings.compute.inputs(batch.inputs)).detach().requires_grad_()
        features = list(supernet.features(stem, one_hot_LTC, names))
        tapped = [block for l, block in enumerate(features) if l in supernet.taps]
        outputs = supernet.outputs(tapped, names, batch.inputs.shape[2:])
    outputs = settings.compute.outputs(outputs)
    losses = ranks.weighted_losses(task_losses(tasks, outputs, batch), outputs, shares)
    slope_LT = torch.zeros_like(one_hot_LTC[:, :, 0])
    for i, task in enumerate(tasks):
        if task.name not in losses or not losses[task.name].requires_grad:
            continue
        path = [block[i] for block in features]
        loss = state.scaler.scale(task.weight * losses[task.name])
        with explaining_in_place_errors():
            slopes = torch.autograd.grad(loss, path, retain_graph=i + 1 < len(tasks), allow_unused=True)
        for l, (feature, slope) in enumerate(zip(path, slopes, strict=True)):
            if slope is not None:
                product = slope.to(slope_LT) * feature.detach().to(slope_LT)
                slope_LT[l, supernet.task_names.index(task.name)] = product.sum()
    return losses, (slope_LT.unsqueeze(-1) / state.scaler.get_scale() * one_hot_LTC * routing_LTC).sum()


@contextmanager
def _frozen(supernet: Supernet) -> Iterator[None]:
    """Weights get no gradients, which also saves their computation."""
    trained = [parameter for parameter in supernet.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
