"""Distillation: a multi-task network learns from the outputs of single-task networks as well as from labels."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from nas.engine.compute import ComputeSettings
from nas.networks.branched import BranchedNetwork
from nas.tasks import Task
from nas.training.settings import DistillSettings

DistillLoss = Callable[[Tensor, Tensor, float], Tensor]
"""(student's outputs, teacher's outputs, temperature) -> mean difference, a scalar; 0 where they agree."""


def classes(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """tau^2 KL(softmax(teacher / tau) || softmax(student / tau)), the mean over samples and pixels.

    Hinton, Vinyals and Dean, 2015. The factor tau^2 keeps the gradient as large as that of cross-entropy for every tau.
    """
    divergence = functional.kl_div(
        torch.log_softmax(student / temperature, dim=1),
        torch.log_softmax(teacher / temperature, dim=1),
        reduction="sum",
        log_target=True,
    )
    return temperature**2 * divergence * student.shape[1] / student.numel()


def yes_or_no(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """`classes` for binary outputs (one logit each): the mean over all outputs."""
    target = torch.sigmoid(teacher / temperature)
    error = functional.binary_cross_entropy_with_logits(student / temperature, target)
    return temperature**2 * (error - functional.binary_cross_entropy_with_logits(teacher / temperature, target))


def squares(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Mean of (student - teacher)^2; the temperature is not used."""
    return functional.mse_loss(student, teacher)


def distances(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Mean of |student - teacher|."""
    return functional.l1_loss(student, teacher)


def directions(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Mean over pixels of 1 - cos(student, teacher)."""
    return 1.0 - functional.cosine_similarity(student, teacher, dim=1).mean()


DISTILL_LOSSES: dict[str, DistillLoss] = {
    "cross_entropy": classes,
    "binary_cross_entropy": yes_or_no,
    "balanced_binary_cross_entropy": yes_or_no,
    "weighted_binary_cross_entropy": yes_or_no,
    "normals_l1": directions,
    "normals_cosine": directions,
    "depth_l1": distances,
    "mse": squares,
    "l1": distances,
}
"""By the name of a task's loss. For a loss that is a user's own function, `squares` is used."""


class Distillation:
    """Losses of a network's outputs against those of single-task networks (the teachers).

    All samples count, with and without labels, since the teachers have outputs for all of them.

    Args:
        teachers: by task, a network with an output for this task; it runs in evaluation mode and is not trained.
        settings: weight and temperature of the losses.
        compute: precision and memory format of the teachers, the same as of the network.
    """

    def __init__(
        self, teachers: Mapping[str, BranchedNetwork], settings: DistillSettings, compute: ComputeSettings
    ) -> None:
        self._teachers = {task: teacher.eval().requires_grad_(False) for task, teacher in teachers.items()}
        self._settings = settings
        self._compute = compute

    def losses(self, tasks: Sequence[Task], outputs: Mapping[str, Tensor], inputs: Tensor) -> dict[str, Tensor]:
        """By task, the weighted difference between the outputs and the teacher's outputs on a batch, in float32."""
        with torch.no_grad(), self._compute.autocast(inputs.device):
            taught = {task.name: self._teachers[task.name](inputs, [task.name])[task.name] for task in tasks}
        taught = self._compute.outputs(taught)
        weight, temperature = self._settings.weight, self._settings.temperature
        found = {}
        for task in tasks:
            difference = DISTILL_LOSSES[task.loss] if isinstance(task.loss, str) else squares
            found[task.name] = weight * difference(outputs[task.name], taught[task.name], temperature)
        return found
