"""The strategy of gradient cosines: tasks whose gradients point alike in the shared network share blocks."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from nas.data import Batch
from nas.networks.branched import BranchedNetwork
from nas.strategies.affinity.measuring import Gradients, halves, task_gradients
from nas.strategies.affinity.shared_network import SharedNetworkStrategy
from nas.tasks import Task


class GradientAffinity(SharedNetworkStrategy):
    """Compares the gradients of tasks block by block in the fully shared network, averaged over steps of its training.

    With g_t(A) and g_t(B) the gradients of task t's loss by a block's weights on two halves of a batch,

        c_l(s, t) = (cos(g_s(A), g_t(B)) + cos(g_s(B), g_t(A))) / 2
        d_l(s, t) = (c_l(s, s) + c_l(t, t)) / 2 - c_l(s, t)  =  (1 - c_l(s, t)) - floor_l(s, t)

    floor_l(s, t) = 1 - (c_l(s, s) + c_l(t, t)) / 2 is the noise floor: the gradients of one task on two half batches
    differ by chance alone. The exact programme minimises d. If one of two gradients is 0, so is the cosine.

    A measured step costs a forward pass and, for each task, a backward pass more: (1 + 2 T) / 3 steps.

    Source: cosines of task gradients are in many works, for instance as a measure of conflict in Gradient Surgery for
    Multi-Task Learning (Yu et al., NeurIPS 2020, definition 1). A tree for each budget is this project's.

    Differs from the source: cosines are of single blocks, averaged over a training, and above a noise floor.
    """

    @property
    def measure(self) -> str:
        return "minus dissimilarity within groups (cosine of gradients)"

    def affinity(self, network: BranchedNetwork, tasks: Sequence[Task], batch: Batch) -> Tensor:
        """c, [L, T, T], symmetric."""
        first, second = (task_gradients(network, tasks, half) for half in halves(batch))
        return half_batch_cosines(first, second, [task.name for task in tasks], len(network.blocks))

    def scale(self, num_tasks: int) -> float:
        return 1.0

    def steps_to_measure(self, num_tasks: int, num_blocks: int) -> float:
        return (1.0 + 2.0 * num_tasks) / 3.0


def half_batch_cosines(first: Gradients, second: Gradients, tasks: Sequence[str], num_blocks: int) -> Tensor:
    """c of `GradientAffinity`, [L, T, T]; NaN where a task has no gradient in one half."""
    cosine_LTT = torch.full((num_blocks, len(tasks), len(tasks)), math.nan, dtype=torch.float64)
    known = [t for t, name in enumerate(tasks) if name in first and name in second]
    for l in range(num_blocks if known else 0):
        first_TP, second_TP = (torch.stack([_unit(each[tasks[t]][l]) for t in known]) for each in (first, second))
        across_TT = (first_TP @ second_TP.T).cpu()
        cosine_LTT[l, torch.tensor(known)[:, None], known] = (across_TT + across_TT.T) / 2.0
    return cosine_LTT


def _unit(gradients: Sequence[Tensor]) -> Tensor:
    """The gradients of a block as one vector of length 1, or 0 if they are 0."""
    if not gradients:
        return torch.zeros(1, dtype=torch.float64)
    vector = torch.cat([gradient.flatten() for gradient in gradients]).double()
    unit: Tensor = vector / vector.norm().clamp_min(torch.finfo(vector.dtype).tiny)
    return unit
