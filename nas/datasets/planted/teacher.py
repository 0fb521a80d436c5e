"""The teacher of a planted problem: the network whose outputs are the labels."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from nas.data.seeds import seeded_generator
from nas.datasets.planted.problem import PlantedProblem
from nas.tree import Group

_NUM_REFERENCE = 1024
"""Number of extra inputs that the outputs are standardised on, so that labels do not depend on the splits' sizes."""

_NUM_AT_ONCE = 256


class Teacher:
    """A network with random weights and the tree of its problem.

    The weights of a block instance depend only on the seed, the block and the tasks of the group, and those of a head
    only on the seed and the task. So two trees that have a group in common have the same weights there.

    Args:
        problem: the tree and the sizes.
        seed: seed of the weights.
    """

    def __init__(self, problem: PlantedProblem, seed: int) -> None:
        self.problem = problem
        self._blocks = [
            {group: self._draw_block(seed, l, group) for group in partition}
            for l, partition in enumerate(problem.tree.partitions)
        ]
        self._heads = {task: self._draw_head(seed, task) for task in problem.tasks}
        reference = self._raw(draw_inputs(problem, _NUM_REFERENCE, seeded_generator("planted reference", seed)))
        # A task's outputs are the second dimension; the positions of an image, if any, come after it.
        dims = (0, 2, 3) if self.problem.kind == "conv" and not self.problem.pooled else (0,)
        self._means = {task: outputs.mean(dims, keepdim=True) for task, outputs in reference.items()}
        self._deviations = {task: outputs.std(dims, keepdim=True) for task, outputs in reference.items()}

    def __call__(self, inputs: Tensor) -> dict[str, Tensor]:
        """By task, the outputs on inputs [N, ...]: [N, num_outputs] or [N, num_outputs, H, W], of mean 0 and
        deviation 1 over the distribution of the inputs."""
        outputs = self._raw(inputs)
        return {task: (values - self._means[task]) / self._deviations[task] for task, values in outputs.items()}

    def _raw(self, inputs: Tensor) -> dict[str, Tensor]:
        # In parts, because the features of images need far more memory than their labels.
        parts = [self._run(part) for part in torch.split(inputs, _NUM_AT_ONCE)]
        return {task: torch.cat([part[task] for part in parts]) for task in self.problem.tasks}

    def _run(self, inputs: Tensor) -> dict[str, Tensor]:
        features: dict[Group, Tensor] = {self.problem.tasks: inputs}
        for l, blocks in enumerate(self._blocks):
            parents = [self.problem.tree.parent_group(l, group) or self.problem.tasks for group in blocks]
            features = {
                group: torch.tanh(self._apply(features[parent], weight, bias))
                for parent, (group, (weight, bias)) in zip(parents, blocks.items(), strict=True)
            }
        return {task: self._head(values, task) for group, values in features.items() for task in group}

    def _apply(self, features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        if self.problem.kind == "dense":
            return functional.linear(features, weight, bias)
        return functional.conv2d(features, weight, bias, padding="same")

    def _head(self, features: Tensor, task: str) -> Tensor:
        if self.problem.kind == "conv" and self.problem.pooled:
            features = features.mean(dim=(2, 3))
        outputs: Tensor = torch.einsum("nc...,oc->no...", features, self._heads[task])
        return outputs

    def _draw_block(self, seed: int, l: int, group: Group) -> tuple[Tensor, Tensor]:
        problem = self.problem
        in_width = problem.width if l else problem.input_width
        shape: tuple[int, ...] = (problem.width, in_width, *((3, 3) if problem.kind == "conv" else ()))
        generator = seeded_generator("planted block", seed, l, *sorted(group))
        scale = problem.weight_sd / math.sqrt(math.prod(shape[1:]))
        weight = scale * torch.randn(shape, generator=generator)
        return weight, problem.bias_sd * torch.randn(problem.width, generator=generator)

    def _draw_head(self, seed: int, task: str) -> Tensor:
        width, generator = self.problem.width, seeded_generator("planted head", seed, task)
        weight = torch.randn(self.problem.num_outputs, width, generator=generator)
        return weight / math.sqrt(width)


def draw_inputs(problem: PlantedProblem, num_samples: int, generator: torch.Generator) -> Tensor:
    """Inputs of standard normal entries, [N, input_width] or [N, input_width, H, W]."""
    return torch.randn(num_samples, *problem.input_shape, generator=generator)
