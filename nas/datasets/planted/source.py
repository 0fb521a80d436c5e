"""The data of a planted problem: samples of its teacher, in four splits."""

from dataclasses import fields as fields_of
from typing import Any

import torch
from torch import Tensor

from nas.data.batch import SPLITS, SplitName, find_split
from nas.data.seeds import seeded_generator
from nas.data.tensors import MaskedTensors
from nas.datasets.planted.problem import PlantedProblem
from nas.datasets.planted.teacher import Teacher, draw_inputs
from nas.errors import InputError


class PlantedData:
    """The data source of a planted problem, made in memory; the same arguments give the same data, bit by bit.

    Labels have mean 0 and deviation 1 before noise is added. The splits "train", "architecture" and "validation" have
    noisy labels, and some labels may be missing, as in real data. So choosing between networks or epochs by validation
    loss is as hard as with real data. The split "test" has all labels without noise, so that the test loss is the
    distance from the teacher.

    Inputs are the same for all problems of one kind and size. The random numbers of a split or task do not depend on
    other splits and tasks.

    Args:
        problem: the planted problem.
        seed: seed of teacher, inputs, noise and missing labels.
    """

    def __init__(self, problem: PlantedProblem, seed: int = 0) -> None:
        self.problem = problem
        self.seed = seed
        teacher = Teacher(problem, seed)
        self._splits = {name: self._make_split(teacher, name) for name in SPLITS}

    def split(self, name: SplitName) -> MaskedTensors:
        return find_split(self._splits, name)

    def _make_split(self, teacher: Teacher, name: SplitName) -> MaskedTensors:
        size: int = getattr(self.problem, f"num_{name}")
        inputs = draw_inputs(self.problem, size, self._generator("inputs", name))
        labels = teacher(inputs)
        if name == "test":
            return MaskedTensors(inputs, labels)
        noisy = {task: values + self._noise(values, name, task) for task, values in labels.items()}
        present = {
            task: torch.rand(size, generator=self._generator("missing", name, task)) >= share
            for task, share in zip(self.problem.tasks, self.problem.missing, strict=False)
        }
        return MaskedTensors(inputs, noisy, present)

    def _noise(self, values: Tensor, name: SplitName, task: str) -> Tensor:
        return self.problem.noise * torch.randn(values.shape, generator=self._generator("noise", name, task))

    def _generator(self, *purpose: str) -> torch.Generator:
        return seeded_generator("planted", *purpose, self.seed)


def planted_data(*, seed: int = 0, **fields: Any) -> PlantedData:
    """`PlantedData` from plain values, which a recipe can record and change: the seed and the fields of a problem.

    >>> planted_data(labels="00/01", num_train=16).split("train")[0][1]["t1"].shape
    torch.Size([4])
    """
    known = [field.name for field in fields_of(PlantedProblem)]
    if unknown := [name for name in fields if name not in known]:
        raise InputError(f"a planted problem has no fields {unknown}; it has {', '.join(known)}")
    return PlantedData(PlantedProblem(**fields), seed)
