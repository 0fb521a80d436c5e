"""Tasks whose effects of sharing are known: trees, their gains, and an evaluator that trains nothing."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from constrained_trees import table
from toys import DEVICE, ToyData, VectorBackbone, toy_tasks

from nas.strategies import Goal, Problem, Store
from nas.strategies.evaluator import Evaluation, Evaluator, Request
from nas.strategies.transfer.sharing import sharing_of
from nas.tree import BranchTree, CostTable


def task_names(num_tasks: int) -> list[str]:
    return [f"t{t}" for t in range(num_tasks)]


def some_trees(rng: np.random.Generator, num_tasks: int, num_blocks: int, count: int) -> list[BranchTree]:
    """Random trees: at each block a task follows its group or takes one of two ways out of it."""
    trees = []
    for _ in range(count):
        ways_LT = rng.integers(0, 2, (num_blocks, num_tasks)) * (rng.random((num_blocks, 1)) < 0.7)
        trees.append(BranchTree.from_choices(task_names(num_tasks), ways_LT.tolist()))
    return trees


def some_effects(rng: np.random.Generator, num_tasks: int, num_blocks: int, size: float = 3.0) -> torch.Tensor:
    """Effects [L, T, T] in percent: half of their variance is common to all pairs of a task, and neighbouring blocks
    are correlated by 0.8, as the model's prior has it."""
    own_LTT, common_LT1 = (rng.normal(size=(num_blocks, num_tasks, last)) for last in (num_tasks, 1))
    steps_LTT = np.sqrt(0.5) * (own_LTT + common_LT1)
    effects_LTT = steps_LTT.copy()
    for l in range(1, num_blocks):
        effects_LTT[l] = 0.8 * effects_LTT[l - 1] + 0.6 * steps_LTT[l]
    effects_LTT[:, range(num_tasks), range(num_tasks)] = 0.0
    return torch.from_numpy(size * effects_LTT)


def gains_of(effects_LTT: torch.Tensor, trees: Sequence[BranchTree]) -> torch.Tensor:
    """The gains [N, T] of trees over all tasks, in percent."""
    return torch.einsum("ntls,lts->nt", sharing_of(trees, task_names(effects_LTT.shape[1])), effects_LTT)


def planted_table(num_tasks: int, num_blocks: int) -> CostTable:
    """Blocks that cost 3, 2, 4, 3, ..., stem and heads that cost 1."""
    return table([(3.0, 2.0, 4.0)[l % 3] for l in range(num_blocks)], task_names(num_tasks), stem=1.0, head=1.0)


def planted_problem(
    num_tasks: int, num_blocks: int, goal: Goal, folder: Path, evaluator: Evaluator | None = None
) -> Problem:
    """The problem of finding trees over tasks t0, t1, ..."""
    tasks, costs = toy_tasks(num_tasks), planted_table(num_tasks, num_blocks)
    return Problem(
        *(tasks, VectorBackbone(num_blocks), ToyData(tasks), costs, goal),
        seed=0,
        device=DEVICE,
        store=Store(folder),
        evaluator=evaluator,
    )


class PlantedEvaluator:
    """Losses that fall as 1 + 1 / epoch, lower by the tree's gains; what was trained is remembered.

    Args:
        noise: standard deviation of a training's luck in percent, the same at all its epochs.
        seconds: what an epoch takes per unit of a tree's cost in `planted_table`.
    """

    num_epochs = 10
    seed = 0
    """Another seed has other luck."""
    distils = False
    """Whether single-task networks must be trained first."""

    def teachers(self, tree: BranchTree) -> list[BranchTree]:
        return [BranchTree.shared([task], len(tree.partitions)) for task in tree.tasks] if self.distils else []

    def __init__(self, effects_LTT: torch.Tensor, noise: float = 0.0, seconds: float = 0.0) -> None:
        self.effects_LTT, self.noise, self.seconds = effects_LTT, noise, seconds
        self.asked: list[Request] = []

    def train(self, requests: Sequence[Request]) -> list[Evaluation]:
        self.asked += requests
        return [self._evaluation(request) for request in requests]

    def seconds_per_epoch(self, tree: BranchTree) -> float:
        num_blocks, num_tasks, _ = self.effects_LTT.shape
        return self.seconds * planted_table(num_tasks, num_blocks).tree_cost(tree)["macs"]

    def trained(self) -> dict[BranchTree, int]:
        """The epochs of each tree."""
        return {tree: max(r.num_epochs for r in self.asked if r.tree == tree) for tree in {r.tree for r in self.asked}}

    def _evaluation(self, request: Request) -> Evaluation:
        names = task_names(self.effects_LTT.shape[1])
        luck = np.random.default_rng(int(request.tree.id, 16) + self.seed).normal(size=len(names)) * self.noise
        gains = dict(zip(names, (gains_of(self.effects_LTT, [request.tree])[0].numpy() + luck).tolist(), strict=True))
        validation = [
            {name: {"loss": (1.0 + 1.0 / epoch) * np.exp(-gain / 100.0)} for name, gain in gains.items()}
            for epoch in range(1, request.num_epochs + 1)
        ]
        return Evaluation(request.tree, validation, request.num_epochs * self.seconds_per_epoch(request.tree))


def planted(seed, count=24, noise=2.0, num_tasks=4, num_blocks=3, heavy=False):
    """Trees, their true gains [N, T] and their results with noise; the reference of each task is another one."""
    rng = np.random.default_rng(seed)
    effects_LTT = some_effects(rng, num_tasks, num_blocks)
    trees = some_trees(rng, num_tasks, num_blocks, count)
    gains_NT = gains_of(effects_LTT, trees).numpy()
    # Student's t with three degrees of freedom, scaled to the same variance.
    errors_NT = rng.standard_t(3, gains_NT.shape) / math.sqrt(3) if heavy else rng.normal(size=gains_NT.shape)
    return effects_LTT, trees, gains_NT, gains_NT + noise * errors_NT + rng.normal(size=num_tasks) * 100.0


def error_of(model, trees, gains_NT):
    """Root mean square of the errors of the gains, in percent."""
    return float((model.gains(trees)[0] - torch.as_tensor(gains_NT)).square().mean().sqrt())
