"""What a measured search costs: its budget of trainings, and what it has spent of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from nas.cost import resolve_budget
from nas.discretize import cheapest_tree
from nas.errors import InputError
from nas.strategies.evaluator import Evaluation, Evaluator, Request
from nas.strategies.goal import Goal
from nas.strategies.protocol import Problem
from nas.strategies.transfer.results import longest_of
from nas.strategies.transfer.settings import SpendingSettings, TransferSettings
from nas.tree import BranchTree, CostTable


@dataclass(frozen=True)
class Spending:
    """Costs in full trainings of a tree that costs the largest budget; a tree's training costs in proportion."""

    settings: SpendingSettings
    problem: Problem

    @property
    def full(self) -> int:
        """Epochs of a full training."""
        return evaluator_of(self.problem).num_epochs

    @property
    def short(self) -> int:
        """Epochs of a short training."""
        return max(1, round(self.settings.length * self.full))

    @property
    def copies(self) -> float:
        """The cost of training own copies."""
        start = self.settings.start if isinstance(self.settings, TransferSettings) else None
        if start is None:
            return 0.0
        table, resource = self.problem.table, self.problem.goal.resource
        separate, _ = self.ends
        stem = table.stem[resource]
        # All copies are behind one stem.
        copies = stem + start.copies * (table.tree_cost(separate)[resource] - stem)
        return start.epochs / self.full * copies / self.largest

    @cached_property
    def teachers(self) -> float:
        """The cost of the teachers' trainings."""
        return sum(self.cost(tree, self.full) for tree in evaluator_of(self.problem).teachers(self.ends[0]))

    @property
    def before(self) -> float:
        """The cost of what comes before the first tree: own copies and teachers."""
        return self.copies + self.teachers

    @cached_property
    def limits(self) -> "Limits":
        """The budgets."""
        return limits_of(self.problem.task_names, self.problem.table, self.problem.goal)

    @property
    def largest(self) -> float:
        """The largest budget as an absolute amount."""
        return max(limit for _, limit in self.limits)

    @cached_property
    def ends(self) -> list[BranchTree]:
        """The trees that are trained first: separate networks, which gains are relative to even if the constraints do
        not allow them; and the cheapest tree, which is the fully shared one if the constraints allow it."""
        names, table, goal = self.problem.task_names, self.problem.table, self.problem.goal
        separate = BranchTree.separate(names, len(table.blocks))
        return [separate, cheapest_tree(names, table, goal.resource, goal.constraints)]

    @property
    def least(self) -> float:
        """The cost of short trainings of `ends`, and of two trees that cost the largest budget."""
        return sum(self.cost(tree, self.short) for tree in self.ends) + 2.0 * self.short / self.full

    def reserve(self, allowed: float) -> float:
        """What is kept of the allowed trainings for the full ones at the end: as many as are wanted and as half of what
        is left after the first trees pays, since without data the best trees are unknown."""
        each = 1.0 - self.short / self.full
        half = max(0.0, 0.5 * (allowed - self.before - self.least))
        wanted = self.settings.finals * len(self.limits)
        return each * min(wanted, math.floor(half / each) if each else 0)

    def require_enough(self) -> None:
        """InputError unless the trainings suffice for own copies, teachers and the first four trees."""
        least = self.before + self.least
        if self.settings.trainings < least:
            parts = {
                "own copies": (self.copies, "strategy.start.epochs"),
                "the teachers of distillation": (self.teachers, None),
                "the first four trees": (self.least, "strategy.length"),
            }
            costs = " and ".join(f"{what} cost {cost:.2g}" for what, (cost, _) in parts.items() if cost)
            fields = " or ".join(field for cost, field in parts.values() if cost and field)
            raise InputError(
                f"strategy.trainings {self.settings.trainings:g}: {costs} trainings of a tree; "
                f"allow {math.ceil(10.0 * least) / 10.0:g} or more, or shorten {fields}"
            )

    def cost(self, tree: BranchTree, num_epochs: int) -> float:
        """The cost of some epochs of a tree's training."""
        resource = self.problem.goal.resource
        return self.problem.table.tree_cost(tree)[resource] / self.largest * num_epochs / self.full

    def spent(self, done: Sequence[Evaluation]) -> float:
        """The cost of own copies, teachers and trainings; of several evaluations of one tree the longest counts.

        Teachers count with the first tree, whose time has theirs in it.
        """
        return (
            self.copies
            + (self.teachers if done else 0.0)
            + sum(self.cost(each.tree, len(each.validation)) for each in longest_of(done))
        )

    def allowed(self, done: Sequence[Evaluation]) -> float:
        """How many trainings may be spent in all, by `trainings` and `hours`."""
        return min(self.settings.trainings, self._trainings_within_hours(longest_of(done)))

    def affordable(self, done: Sequence[Evaluation], requests: Sequence[Request], last: bool) -> list[Request]:
        """The first of the requests that are within what is left in trainings and hours, less the reserve unless they
        are the last ones."""
        allowed = self.allowed(done)
        return self.within(allowed if last else allowed - self.reserve(allowed), done, requests)

    def within(self, most: float, done: Sequence[Evaluation], requests: Sequence[Request]) -> list[Request]:
        """The first of the requests after which no more than ``most`` is spent."""
        before = {evaluation.tree: len(evaluation.validation) for evaluation in longest_of(done)}
        spent = self.spent(done)
        kept = []
        for request in requests:
            spent += self.cost(request.tree, request.num_epochs - before.get(request.tree, 0))
            # A millionth for rounding in sums of shares.
            if spent > most + 1e-6:
                break
            kept.append(request)
        return kept

    @property
    def seconds_of_training(self) -> float:
        """The predicted time of a full training of a tree that costs the largest budget."""
        _, tree = self.ends
        return evaluator_of(self.problem).seconds_per_epoch(tree) / self.cost(tree, 1)

    def _trainings_within_hours(self, longest: Sequence[Evaluation]) -> float:
        """How many trainings fit into `hours`, by the time of those that are done; own copies count by their cost."""
        seconds = sum(evaluation.seconds for evaluation in longest)
        if self.settings.hours is None or seconds == 0.0:
            return math.inf
        return 3600.0 * self.settings.hours * (self.spent(longest) - self.copies) / seconds


Limits = Sequence[tuple[float | None, float]]
"""Pairs (budget as stated, absolute amount)."""


def limits_of(tasks: Sequence[str], table: CostTable, goal: Goal) -> Limits:
    """The budgets; without budgets, what separate networks cost."""
    if not goal.budgets:
        return [(None, table.separate_cost()[goal.resource])]
    cheapest = cheapest_tree(tasks, table, goal.resource, goal.constraints)
    return [(budget, resolve_budget(budget, table, goal.resource, cheapest=cheapest)) for budget in goal.budgets]


def evaluator_of(problem: Problem) -> Evaluator:
    """The problem's evaluator."""
    assert problem.evaluator is not None, "a measured search trains trees"
    return problem.evaluator
