"""Measuring a network in the middle of its training: halves of a batch, losses and gradients of single tasks."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nas.data import Batch
from nas.networks.branched import BranchedNetwork
from nas.tasks import Task, task_losses
from nas.training.evaluate import run_network

Gradients = Mapping[str, Sequence[Sequence[Tensor]]]
"""By task, for each block the gradients of its parameters."""


def halves(batch: Batch) -> tuple[Batch, Batch]:
    """Two batches of B // 2 samples each; a task without labels in one half is missing there."""
    middle = len(batch.inputs) // 2
    return _rows(batch, 0, middle), _rows(batch, middle, 2 * middle)


def _rows(batch: Batch, start: int, stop: int) -> Batch:
    labels, present = {}, {}
    for name, rows in batch.present.items():
        first, count = int(rows[:start].sum()), int(rows[start:stop].sum())
        if count:
            labels[name], present[name] = batch.labels[name][first : first + count], rows[start:stop]
    return Batch(batch.inputs[start:stop], labels, present)


@contextmanager
def leaving_no_trace(network: nn.Module, device: torch.device) -> Iterator[None]:
    """Restore buffers and random numbers afterwards, so that measuring does not change the training."""
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)


def weighted_losses(network: BranchedNetwork, tasks: Sequence[Task], batch: Batch) -> dict[str, Tensor]:
    """weight_t loss_t of every task with labels in the batch."""
    losses = task_losses(tasks, run_network(network, batch.inputs), batch)
    return {task.name: task.weight * losses[task.name] for task in tasks if task.name in losses}


def shared_blocks(network: BranchedNetwork) -> list[list[nn.Parameter]]:
    """The parameters of each block of a fully shared network that are trained."""
    found = []
    for instances in network.blocks:
        assert isinstance(instances, nn.ModuleList)
        (instance,) = instances
        found.append([parameter for parameter in instance.parameters() if parameter.requires_grad])
    return found


def task_gradients(network: BranchedNetwork, tasks: Sequence[Task], batch: Batch) -> Gradients:
    """The gradient of each task's weighted loss with respect to every block of a fully shared network.

    One forward pass, and one backward pass for each task with labels. Parameters that a loss does not depend on have
    the gradient 0.
    """
    blocks = shared_blocks(network)
    flat = [parameter for block in blocks for parameter in block]
    found = {}
    for name, loss in weighted_losses(network, tasks, batch).items():
        gradients = iter(torch.autograd.grad(loss, flat, retain_graph=True, materialize_grads=True) if flat else ())
        found[name] = [[next(gradients) for _ in block] for block in blocks]
    return found
