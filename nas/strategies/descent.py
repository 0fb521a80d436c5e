"""An optimiser step of a search that trains a supernet."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from nas.data import Batch
from nas.engine import Ranks
from nas.engine.compute import ComputeSettings
from nas.errors import as_input_errors
from nas.networks.backbone import explaining_in_place_errors
from nas.tasks import Task

Losses = dict[str, Tensor]
"""Detached, unweighted mean loss of each task that the batch has labels for, on any rank."""

Shares = Mapping[str, float]
"""By task, the share of the batch's labels that this rank has (`Ranks.label_shares`)."""


def weighted_sum(tasks: Sequence[Task], losses: Losses) -> Tensor:
    """sum_t weight_t loss_t over the tasks that have a loss."""
    return torch.stack([task.weight * losses[task.name] for task in tasks if task.name in losses]).sum()


@contextmanager
def running(batch: Batch, compute: ComputeSettings) -> Iterator[None]:
    """The context of a forward pass."""
    with (
        as_input_errors(f"the backbone does not run on inputs of shape {list(batch.inputs.shape)}"),
        compute.autocast(batch.inputs.device),
    ):
        yield


def descend(
    scaler: torch.amp.GradScaler,
    optimizers: Sequence[torch.optim.Optimizer],
    total: Tensor,
    losses: Losses,
    ranks: Ranks,
) -> Losses:
    """A step of each optimiser on the sum of the totals of all ranks; returns the losses summed over the ranks."""
    parameters = [
        parameter for optimizer in optimizers for group in optimizer.param_groups for parameter in group["params"]
    ]
    # Instead of `zero_grad`, whose profiling takes longer than the forward pass of a small network.
    for parameter in parameters:
        parameter.grad = None
    with explaining_in_place_errors():
        scaler.scale(total).backward()  # type: ignore[no-untyped-call]
    summed = ranks.reduce(parameters, list(losses.values()))
    for optimizer in optimizers:
        scaler.step(optimizer)
    scaler.update()
    return dict(zip(losses, summed, strict=True))
