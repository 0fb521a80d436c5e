"""Which trees to train next: the best ones of random draws from the posterior, within every budget in turn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nas.discretize import Curve, discretize
from nas.strategies.goal import Goal
from nas.strategies.protocol import Problem
from nas.strategies.transfer.model import TransferModel
from nas.strategies.transfer.sharing import sharing_of
from nas.tree import BranchTree, CostTable

_DRAWS = 20
"""Draws from the posterior for one choice of trees. The chance of a better tree is then known to a twentieth."""

_TRIES = 10
"""At most so many draws for each spread tree, because duplicates are thrown away."""


def dissimilarity_of(effects_LTT: Tensor) -> Tensor:
    """The dissimilarities whose exact programme maximises the mean gain over the tasks: -(b_{l,t,s} + b_{l,s,t}) / T.

    sum_G 1/|G| sum_{s<t in G} d_l(s, t)  =  -1/T sum_t sum_l 1/|G_l(t)| sum_{s in G_l(t), s != t} b_{l,t,s}
    """
    return -(effects_LTT + effects_LTT.transpose(1, 2)) / effects_LTT.shape[1]


def curve_of_effects(tasks: Sequence[str], table: CostTable, goal: Goal, effects_LTT: Tensor, largest: float) -> Curve:
    """The trees of greatest mean gain for every cost up to the largest; values are minus the gain in percent."""
    d_LTT = dissimilarity_of(effects_LTT)
    return discretize(tasks, d_LTT, table, goal.resource, max_cost=largest, constraints=goal.constraints)


def spread_trees(problem: Problem, limits: Sequence[float], count: int, generator: torch.Generator) -> list[BranchTree]:
    """Different random trees that keep budgets and constraints: the best ones for random effects."""
    num_blocks, num_tasks = len(problem.table.blocks), len(problem.tasks)
    wanted = problem.task_names, problem.table, problem.goal
    found: list[BranchTree] = []
    for i in range(_TRIES * count):
        if len(found) == count:
            break
        # One effect per pair, which changes slowly from block to block, as real ones do.
        steps_LTT = torch.randn(num_blocks, num_tasks, num_tasks, generator=generator, dtype=torch.float64)
        limit = limits[i % len(limits)]
        effects_LTT = steps_LTT.cumsum(0) / np.sqrt(num_blocks)
        tree = curve_of_effects(*wanted, effects_LTT, limit).within(limit).tree
        if tree not in found:
            found.append(tree)
    return found


@dataclass(frozen=True)
class Draws:
    """The best trees of effects that were drawn from the posterior.

    Args:
        trees: by draw, the best tree within each budget.
        advantages: by draw, the most that one of them gains over the posterior mean's tree of its budget, in percent,
            if the draw is right.
    """

    trees: Sequence[Sequence[BranchTree]]
    advantages: Sequence[float]

    def chance_of_more_than(self, margin: float) -> float:
        """The probability that some budget has a tree that gains `margin` percent more than the one chosen."""
        return sum(advantage > margin for advantage in self.advantages) / len(self.advantages)

    def not_among(self, trained: Sequence[BranchTree]) -> list[BranchTree]:
        """Thompson sampling: the draws' trees that have not been trained, one budget after another, draw by draw."""
        turns = [trees[(len(trained) + k) % len(trees)] for k, trees in enumerate(self.trees)]
        rest = [tree for trees in self.trees for tree in trees]
        return [tree for tree in dict.fromkeys([*turns, *rest]) if tree not in trained]


def draw_trees(problem: Problem, model: TransferModel, limits: Sequence[float], generator: torch.Generator) -> Draws:
    """Draw effects, and find the best tree within each budget for each draw: one exact programme per draw."""
    largest, wanted = max(limits), (problem.task_names, problem.table, problem.goal)
    mean = curve_of_effects(*wanted, model.effects_LTT, largest)
    leaders = [mean.within(limit).tree for limit in limits]
    trees, advantages = [], []
    for _ in range(_DRAWS):
        effects_LTT = model.sample(generator)
        curve = curve_of_effects(*wanted, effects_LTT, largest)
        points = [curve.within(limit) for limit in limits]
        trees.append([point.tree for point in points])
        gains = gain_of(effects_LTT, leaders, problem.task_names)
        advantages.append(max(-point.value - gain for point, gain in zip(points, gains, strict=True)))
    return Draws(trees, advantages)


def gain_of(effects_LTT: Tensor, trees: Sequence[BranchTree], tasks: Sequence[str]) -> list[float]:
    """The mean gains over the tasks of trees, in percent, if the effects are right."""
    gains: list[float] = torch.einsum("ntls,lts->n", sharing_of(trees, tasks), effects_LTT).div(len(tasks)).tolist()
    return gains
