"""The look-ahead strategy: what a step on one task does to the losses of the others, block by block."""

import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import torch
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from nas.data import Batch
from nas.errors import WorkFailed
from nas.networks.branched import BranchedNetwork
from nas.strategies.affinity.measuring import halves, shared_blocks, task_gradients, weighted_losses
from nas.strategies.affinity.shared_network import SharedNetworkStrategy
from nas.tasks import Task


class Lookahead(SharedNetworkStrategy):
    """Steps on one task at one block of the fully shared network, and measures every task's loss; averaged over steps.

    With L_t the loss of task t on one half of a batch, and L_t(s, l) the same after a gradient step on task s, whose
    gradient is of the other half, that changes block l alone:

        Z_l(s -> t) = 1 - L_t(s, l) / L_t
        d_l(s, t)   = (Z_l(t -> t) - Z_l(s -> t) + Z_l(s -> s) - Z_l(t -> s)) / T

    For small steps, a shared block takes the mean of its tasks' steps, so sum_G 1/|G| sum d_l(s, t) is what the tasks
    lose by sharing against steps of their own: the mean over the tasks, in percent of their loss for one step. Two
    equal tasks have d = 0. The exact programme minimises d.

    A measured batch costs a forward pass, half a backward pass for each task and half a forward pass for each task and
    block: (2 + 2 T + L T) / 6 training steps. For 5 tasks and 18 blocks these are 17, so the training takes 2.7 times
    as long with ``every=10``.

    Source: Efficiently Identifying Task Groupings for Multi-Task Learning (TAG: Fifty et al., NeurIPS 2021, eq. 1).

    Differs from the source: it steps on all shared weights at once and finds groups of whole networks; here each block
    has its own effects, which say where to part. There the step and the losses are of one batch, in which a task's own
    step has seen the labels; here they are of two halves. The step is one of plain gradient descent with its own rate.
    Groups are scored against the tasks' own steps, and the exact programme finds trees.

    The error of d is a lower bound, since steps of one training are not independent: grades can be too good.

    Args:
        rate: learning rate of the look-ahead step.
    """

    every: PositiveInt = 10
    rate: PositiveFloat = 0.01

    @property
    def measure(self) -> str:
        return "minus what is lost to steps of other tasks, % of loss per step"

    def affinity(self, network: BranchedNetwork, tasks: Sequence[Task], batch: Batch) -> Tensor:
        """100 Z_l(s -> t), [l, t, s]."""
        blocks = [[l] for l in range(len(network.blocks))]
        return 100.0 * step_effects(network, tasks, batch, self.rate, blocks)

    def scale(self, num_tasks: int) -> float:
        return 2.0 / num_tasks

    def steps_to_measure(self, num_tasks: int, num_blocks: int) -> float:
        return (2.0 + 2.0 * num_tasks + num_blocks * num_tasks) / 6.0


def step_effects(
    network: BranchedNetwork, tasks: Sequence[Task], batch: Batch, rate: float, steps: Sequence[Collection[int]]
) -> Tensor:
    """Z(s -> t) for steps that each change some blocks, [step, t, s]; NaN where a task has no labels in either half.

    The weights are restored exactly. Dropout has the same masks before and after a step; torch's generators are seeded
    for it.

    Raises:
        WorkFailed: a loss after a step is not finite.
    """
    first, second = halves(batch)
    gradients, blocks = task_gradients(network, tasks, first), shared_blocks(network)
    seed = int(torch.randint(2**62, ()))

    def losses() -> dict[str, float]:
        torch.manual_seed(seed)
        with torch.no_grad():
            return {name: loss.item() for name, loss in weighted_losses(network, tasks, second).items()}

    before = losses()
    effects_STT = torch.full((len(steps), len(tasks), len(tasks)), math.nan, dtype=torch.float64)
    for i, changed in enumerate(steps):
        for s, source in enumerate(tasks):
            if source.name not in gradients:
                continue
            pairs = [pair for l in changed for pair in zip(blocks[l], gradients[source.name][l], strict=True)]
            with _stepped(pairs, rate):
                after = losses()
            for t, task in enumerate(tasks):
                if task.name in after and before[task.name] > 0.0:
                    effects_STT[i, t, s] = _effect(before[task.name], after[task.name], source.name)
    return effects_STT


def _effect(before: float, after: float, source: str) -> float:
    if not math.isfinite(after):
        raise WorkFailed(f"a look-ahead step on task {source} gives a loss of {after}; lower strategy.rate")
    return 1.0 - after / before


@contextmanager
def _stepped(pairs: Sequence[tuple[nn.Parameter, Tensor]], rate: float) -> Iterator[None]:
    """Parameters after a step against their gradients; they are restored afterwards."""
    kept = [parameter.detach().clone() for parameter, _ in pairs]
    try:
        with torch.no_grad():
            for parameter, gradient in pairs:
                parameter.sub_(gradient, alpha=rate)
        yield
    finally:
        with torch.no_grad():
            for (parameter, _), value in zip(pairs, kept, strict=True):
                parameter.copy_(value)
