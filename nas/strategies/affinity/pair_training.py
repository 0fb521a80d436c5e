"""Trainings of networks of two tasks, for each pair and each place where the two may part."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from nas.fields import Settings
from nas.strategies.affinity.record import AffinityRecord
from nas.strategies.affinity.spending import cost_in_trainings
from nas.strategies.evaluator import Evaluation, Request
from nas.strategies.goal import Goal
from nas.strategies.protocol import FirstSteps, Found, Problem
from nas.strategies.store import Store
from nas.strategies.transfer.results import results_of
from nas.strategies.transfer.spending import evaluator_of
from nas.tree import BranchTree, CostTable


class PairTraining(Settings):
    """Trains the separate tree and networks of two tasks; a subclass says where they part and what follows from it.

    Args:
        length: length of the trainings as a share of a full one.
        batch: number of trees that are trained at a time. With more than one the search runs on Ray. The result does
            not depend on it.
    """

    length: float = Field(default=0.3, gt=0.0, le=1.0)
    batch: PositiveInt = 1

    @property
    def num_stages(self) -> int:
        """At most so many places where two tasks may part."""
        raise NotImplementedError

    def record_of(self, problem: Problem, effects_LTT: Tensor, cost: float | None) -> AffinityRecord:
        """The record of the measured effects of sharing, in percent, [l, t, s]."""
        raise NotImplementedError

    def conclude(self, seeds: Sequence[AffinityRecord], table: CostTable, goal: Goal) -> Found:
        """The trees of the mean effects of one or several searches."""
        raise NotImplementedError

    @property
    def num_epochs(self) -> int:
        """One for the separate tree, and one for every stage."""
        return 1 + self.num_stages

    @property
    def trees_at_once(self) -> int:
        return self.batch

    def search(self, problem: Problem) -> Found:
        """Train the networks, and discretise. The evaluator trains nothing again that is trained already."""
        done: list[Evaluation] = []
        history: list[dict[str, Any]] = []
        for name, trees in self._rounds(problem):
            for start in range(0, len(trees), self.batch):
                requests = [Request(tree, self._num_epochs(problem)) for tree in trees[start : start + self.batch]]
                done += evaluator_of(problem).train(requests)
            history.append({"epoch": len(history), "phase": name})
            problem.on_epoch(history)
        effects_LTT = self._effects(problem, done)
        cost = cost_in_trainings(problem, [*_teachers(problem), *((one.tree, len(one.validation)) for one in done)])
        record = self.record_of(problem, effects_LTT, cost)
        record.write(problem.store)
        return replace(self.conclude([record], problem.table, problem.goal), history=history)

    def cut(self, problem: Problem) -> Found:
        """Trees for another goal, from the measured effects."""
        return self.conclude([AffinityRecord.read(problem.store, problem.task_names)], problem.table, problem.goal)

    def pool(self, stores: Sequence[Store], table: CostTable, goal: Goal) -> Found:
        """The trees of the mean effects of several searches."""
        return self.conclude([AffinityRecord.read(store) for store in stores], table, goal)

    def first_steps(self, problem: Problem) -> FirstSteps:
        """The predicted time of all trainings, by a few steps of the separate tree's; no losses."""
        trees = [tree for _, trees in self._rounds(problem) for tree in trees]
        costs = [problem.table.tree_cost(tree)[problem.goal.resource] for tree in trees]
        seconds = evaluator_of(problem).seconds_per_epoch(trees[0]) * self._num_epochs(problem)
        return FirstSteps({}, seconds * sum(costs) / costs[0], 0)

    def predicted_cost(self, problem: Problem) -> float | None:
        """The cost of the search before it begins, as its record has it afterwards."""
        trees = [tree for _, trees in self._rounds(problem) for tree in trees]
        return cost_in_trainings(problem, [*_teachers(problem), *((tree, self._num_epochs(problem)) for tree in trees)])

    def _num_epochs(self, problem: Problem) -> int:
        return max(1, round(self.length * evaluator_of(problem).num_epochs))

    def _stops(self, num_blocks: int) -> list[int]:
        """How many blocks two tasks share at each stage; the last stage is all of them."""
        stages = min(self.num_stages, num_blocks)
        return [math.ceil(stage * num_blocks / stages) for stage in range(1, stages + 1)]

    def _rounds(self, problem: Problem) -> Iterator[tuple[str, list[BranchTree]]]:
        """What is trained, with its name: the separate tree first, then all pairs at one stage after the other."""
        names, num_blocks = problem.task_names, len(problem.table.blocks)
        yield "separate networks", [BranchTree.separate(names, num_blocks)]
        for stop in self._stops(num_blocks):
            pairs = [_part_after(pair, stop, num_blocks) for pair in combinations(names, 2)]
            yield f"pairs of tasks that share {stop} of {num_blocks} blocks", pairs

    def _effects(self, problem: Problem, done: Sequence[Evaluation]) -> Tensor:
        """What sharing each block with task s does to task t alone, in percent, [l, t, s]."""
        names, num_blocks = problem.task_names, len(problem.table.blocks)
        results = dict(zip([one.tree for one in done], results_of(done, names), strict=True))
        separate_T = results[BranchTree.separate(names, num_blocks)]
        effects_LTT = torch.zeros(num_blocks, len(names), len(names), dtype=torch.float64)
        for pair in combinations(range(len(names)), 2):
            start, before_T = 0, separate_T
            for stop in self._stops(num_blocks):
                after_T = results[_part_after([names[t] for t in pair], stop, num_blocks)]
                for t, s in (pair, pair[::-1]):
                    effects_LTT[start:stop, t, s] = (after_T[t] - before_T[t]) / (stop - start)
                start, before_T = stop, after_T
        return effects_LTT


def _teachers(problem: Problem) -> list[tuple[BranchTree, int]]:
    """The teachers of distillation with the length of their trainings."""
    evaluator = evaluator_of(problem)
    separate = BranchTree.separate(problem.task_names, len(problem.table.blocks))
    return [(tree, evaluator.num_epochs) for tree in evaluator.teachers(separate)]


def _part_after(pair: Sequence[str], shared: int, num_blocks: int) -> BranchTree:
    """The tree over two tasks that share the first blocks."""
    return BranchTree.from_choices(pair, [[0, int(l >= shared)] for l in range(num_blocks)])
