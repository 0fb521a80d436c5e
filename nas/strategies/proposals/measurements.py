"""What a search has trained so far: it spends the trainings, and keeps the results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas.discretize import keeps_constraints
from nas.strategies.evaluator import Evaluation, Request
from nas.strategies.proposals.record import ProposalRecord
from nas.strategies.protocol import Problem
from nas.strategies.transfer.fitting import trained_trees
from nas.strategies.transfer.results import at_both_lengths, record_of
from nas.strategies.transfer.settings import SpendingSettings
from nas.strategies.transfer.spending import Spending, evaluator_of
from nas.tree import BranchTree


@dataclass
class Measurements:
    """The trainings of a search: a function of what it asks for and of their results alone."""

    settings: SpendingSettings
    problem: Problem

    def __post_init__(self) -> None:
        self.spending = Spending(self.settings, self.problem)
        self.limits = [limit for _, limit in self.spending.limits]
        self.done: list[Evaluation] = []
        self.history: list[Any] = []

    def begin(self) -> None:
        """Train separate networks and the cheapest tree, and set aside what the finals cost."""
        # Whatever the hours: without these two no tree has a gain, and a budget may have no tree.
        self._train([Request(tree, self.spending.short) for tree in self.spending.ends])
        allowed, first = self.spending.allowed(self.done), self.spending.spent(self.done)
        # At most half of what is left: without proposals there is no choice to confirm.
        wanted = self.settings.finals if self.spending.short < self.spending.full else 0
        fitting = [n for n in range(wanted + 1) if self._cost_of_finals(n) <= 0.5 * (allowed - first)]
        self.num_finals = max(fitting, default=0)
        self.open = max(0.0, allowed - first - self._cost_of_finals(self.num_finals))
        self.first = first

    def share(self, turns: int) -> float:
        """What may be spent in all when so many turns are over."""
        return self.first + self.open * turns / len(self.limits)

    def train(self, trees: Sequence[BranchTree], num_epochs: int, most: float) -> bool:
        """Train trees, a batch at a time, until ``most`` trainings or the hours are spent; whether all are trained."""
        for start in range(0, len(trees), self.settings.batch):
            batch = [Request(tree, num_epochs) for tree in trees[start : start + self.settings.batch]]
            kept = self.spending.within(min(most, self.spending.allowed(self.done)), self.done, batch)
            self._train(kept)
            if len(kept) < len(batch):
                return False
        return True

    def train_finals(self) -> None:
        """Train separate networks and the best trees of every budget in full, unless that leaves out a budget."""
        if not self.num_finals:
            return
        best = [self._best_within(limit) for limit in self.limits]
        # The best of every budget first, then the second best.
        turns = [trees[n] for n in range(self.num_finals) for trees in best if n < len(trees)]
        trees = list(dict.fromkeys([self.spending.ends[0], *turns]))
        needed = len({self.spending.ends[0], *(trees[0] for trees in best)})
        requests = [Request(tree, self.spending.full) for tree in trees]
        allowed = self.spending.allowed(self.done)
        if len(self.spending.within(allowed, self.done, requests)) >= needed:
            self.train(trees, self.spending.full, self.settings.trainings)

    @property
    def gains(self) -> Mapping[BranchTree, float]:
        """By tree, its gain after a short training, in percent."""
        return self.record().gains(self.spending.short)

    @property
    def trees(self) -> set[BranchTree]:
        """The trees that were trained."""
        return {evaluation.tree for evaluation in self.done}

    def record(self) -> ProposalRecord:
        """What was measured so far."""
        problem = self.problem
        return ProposalRecord(
            tasks=problem.task_names,
            blocks=problem.table.block_names,
            trainings=trained_trees(at_both_lengths(self.done, self.spending.short), problem.task_names),
            short_epochs=self.spending.short,
            full_epochs=self.spending.full,
            cost=self.spending.spent(self.done),
        )

    def _train(self, requests: Sequence[Request]) -> None:
        for evaluation in evaluator_of(self.problem).train(requests):
            self.done.append(evaluation)
            self.history.append(record_of(evaluation, len(self.history)))
            self.problem.on_epoch(self.history)

    def _cost_of_finals(self, number: int) -> float:
        """What it costs at most to train separate networks and so many trees of each budget in full."""
        if number == 0:
            return 0.0
        separate = self.problem.table.separate_cost()[self.problem.goal.resource]
        rest = 1.0 - self.spending.short / self.spending.full
        return (separate + number * sum(self.limits)) / self.spending.largest * rest

    def _best_within(self, limit: float) -> list[BranchTree]:
        return best_within(self.problem, self.gains, limit)


def best_within(problem: Problem, gains: Mapping[BranchTree, float], limit: float) -> list[BranchTree]:
    """The trees that keep a limit and the constraints, best first; of equal ones the cheaper first."""
    table, resource, constraints = problem.table, problem.goal.resource, problem.goal.constraints
    cost = {tree: table.tree_cost(tree)[resource] for tree in gains}
    kept = [tree for tree in gains if cost[tree] <= limit and keeps_constraints(tree, constraints, table, resource)]
    return sorted(kept, key=lambda tree: (-gains[tree], cost[tree]))
