"""Synthetic tasks that are functions of one linear map, with a known structure (Learning to Branch, Guo et al., 2020).

    T_rs(z) = f_r((B + D_s) z / phi),    r = 1, 2, 3,   s = 1, ..., 5

B is a matrix that all tasks have in common, D_s a smaller one of the s-th task of every function, and phi the size of
the inputs. So there are fifteen regressions, and how alike they are follows from the functions:

- "cluster": bent identity, square, sinc. Expected are three groups of five.
- "share": sin, 2 sin, 3 sin. Expected is that all tasks share everything.
- "hierarchy": cos, sinc, square. Expected is that cos and sinc stay together, and square leaves them earlier.

Stated are the sizes, 200 inputs and 100 outputs, and B from N(0, 10), D_s from N(0, 2). Not stated are the number of
samples, the distribution of z, and whether 10 and 2 are variances. Here they are standard deviations, and z is normal
with standard deviation 3. Then (B z) / phi has one of 2.1. With much less, all these functions are nearly linear or
nearly square, and sinc, cos and square are nearly the same but for a factor and a constant. Labels have no noise.

>>> data = function_data(setting="share", num_train=8)
>>> inputs, labels = data.split("train")[0]
>>> inputs.shape, labels["sin_0"].shape
(torch.Size([200]), torch.Size([100]))
"""

import math
from collections.abc import Callable, Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

from nas.data.batch import SplitName, find_split
from nas.data.seeds import seeded_generator
from nas.data.tensors import MaskedTensors
from nas.errors import InputError, no_such
from nas.tasks.task import Task
from nas.tree import BranchTree

Setting = Literal["cluster", "share", "hierarchy"]

NUM_INPUTS, NUM_OUTPUTS, NUM_EACH = 200, 100, 5
INPUT_SD, COMMON_SD, OWN_SD = 3.0, 10.0, 2.0
"""Standard deviations of z, B and D_s."""

FUNCTIONS: Mapping[Setting, Mapping[str, Callable[[Tensor], Tensor]]] = {
    "cluster": {"bent": lambda x: ((x**2 + 1).sqrt() - 1) / 2 + x, "square": torch.square, "sinc": lambda x: _sinc(x)},
    "share": {"sin": torch.sin, "sin2": lambda x: 2 * x.sin(), "sin3": lambda x: 3 * x.sin()},
    "hierarchy": {"cos": torch.cos, "sinc": lambda x: _sinc(x), "square": torch.square},
}
"""By setting, the three functions by name."""


def _sinc(x: Tensor) -> Tensor:
    """sin(x) / x."""
    return torch.sinc(x / math.pi)


def function_tasks(setting: Setting) -> tuple[Task, ...]:
    """The fifteen regressions of a setting: ``sin_0``, ``sin_1``, ..."""
    return tuple(
        Task(name=f"{function}_{s}", num_outputs=NUM_OUTPUTS, loss="mse", metrics=("rmse",))
        for function in _functions(setting)
        for s in range(NUM_EACH)
    )


class FunctionData:
    """The data source of a setting, made in memory; the same arguments give the same data, bit by bit.

    Args:
        setting: "cluster", "share" or "hierarchy".
        seed: seed of the matrices and inputs.
        sizes: number of samples of each split.

    Raises:
        InputError: the setting is not one of the three.
    """

    def __init__(self, setting: Setting, seed: int, sizes: Mapping[SplitName, int]) -> None:
        self.setting, self.seed = setting, seed
        self._splits = {name: self._make(name, size) for name, size in sizes.items()}

    def split(self, name: SplitName) -> MaskedTensors:
        return find_split(self._splits, name)

    def _make(self, split: SplitName, size: int) -> MaskedTensors:
        inputs = INPUT_SD * torch.randn(size, NUM_INPUTS, generator=self._generator("inputs", split))
        common = COMMON_SD * torch.randn(NUM_OUTPUTS, NUM_INPUTS, generator=self._generator("common"))
        labels: dict[str, Tensor] = {}
        for s in range(NUM_EACH):
            own = OWN_SD * torch.randn(NUM_OUTPUTS, NUM_INPUTS, generator=self._generator("own", s))
            values = inputs @ (common + own).T / NUM_INPUTS
            labels |= {f"{name}_{s}": function(values) for name, function in _functions(self.setting).items()}
        return MaskedTensors(inputs, {task.name: labels[task.name] for task in function_tasks(self.setting)})

    def _generator(self, *purpose: str | int) -> torch.Generator:
        return seeded_generator("function tasks", *purpose, self.seed)


def function_data(
    *,
    setting: Setting = "cluster",
    seed: int = 0,
    num_train: int = 1600,
    num_architecture: int = 400,
    num_validation: int = 400,
    num_test: int = 1000,
) -> FunctionData:
    """`FunctionData` from plain values, which a recipe can record and change."""
    sizes: dict[SplitName, int] = {
        "train": num_train,
        "architecture": num_architecture,
        "validation": num_validation,
        "test": num_test,
    }
    return FunctionData(setting, seed, sizes)


def has_structure(tree: BranchTree, setting: Setting) -> bool:
    """Whether a tree over a setting's tasks has the structure that is expected of it.

    - "cluster": the groups of the last block are the three functions.
    - "share": all tasks share every block.
    - "hierarchy": the groups of some block are square and the two others, and at the last block these two are one group
      or one group each.
    """
    functions = [frozenset(f"{name}_{s}" for s in range(NUM_EACH)) for name in _functions(setting)]
    partitions = [frozenset(frozenset(group) for group in partition) for partition in tree.partitions]
    if setting == "share":
        return all(len(partition) == 1 for partition in partitions)
    if setting == "cluster":
        return partitions[-1] == frozenset(functions)
    cos, sinc, square = functions
    together = frozenset([cos | sinc, square])
    return together in partitions and partitions[-1] in (together, frozenset(functions))


def _functions(setting: Setting) -> Mapping[str, Callable[[Tensor], Tensor]]:
    if setting not in get_args(Setting):
        raise InputError(no_such("setting", setting, get_args(Setting)))
    return FUNCTIONS[setting]
