"""The order of a measured search: which trees it trains, and for how long."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import ArrayLike

from nas.data import derive_seed
from nas.discretize import discretize, keeps_constraints
from nas.strategies.evaluator import Evaluation, Request
from nas.strategies.protocol import Problem
from nas.strategies.transfer.choice import draw_trees, spread_trees
from nas.strategies.transfer.fitting import fit_model, trained_trees
from nas.strategies.transfer.model import TransferModel
from nas.strategies.transfer.record import TransferRecord
from nas.strategies.transfer.results import at_both_lengths, longest_of, record_of
from nas.strategies.transfer.settings import TransferSettings
from nas.strategies.transfer.spending import Spending, evaluator_of
from nas.tree import BranchTree

_SPREAD = 4
"""Number of random trees among the first ones."""


@dataclass
class MeasuredSearch:
    """What is known so far, and what to do next: a function of the seed and of the trainings' results alone.

    So a search that is started again asks for the same trainings, of which the evaluator reads those that exist.

    Args:
        advice: the dissimilarities of the tasks above the noise floor, [L, T, T], if they are known.
        history: the records of the epochs before.
    """

    settings: TransferSettings
    problem: Problem
    advice: ArrayLike | None
    history: list[Any]

    def __post_init__(self) -> None:
        self.spending = Spending(self.settings, self.problem)
        self.limits = [limit for _, limit in self.spending.limits]
        self.done: list[Evaluation] = []
        self.generator = torch.Generator().manual_seed(derive_seed(self.problem.seed, "transfer"))

    def run(self) -> None:
        """Spend the trainings."""
        short, full = self.spending.short, self.spending.full
        more = self._train([Request(tree, short) for tree in self._first_trees()])
        while more:
            draws = draw_trees(self.problem, self.model(), self.limits, self.generator)
            if draws.chance_of_more_than(self.settings.margin) <= self.settings.chance:
                break
            chosen = draws.not_among([evaluation.tree for evaluation in self.done])[: self.settings.batch]
            more = self._train([Request(tree, short) for tree in chosen])
        self._train([Request(tree, full) for tree in self._finalists()], last=True)

    def model(self) -> TransferModel:
        """The posterior by all trainings so far."""
        return fit_model([self.record()], self.advice)

    def record(self) -> TransferRecord:
        """What was measured so far."""
        problem = self.problem
        return TransferRecord(
            tasks=problem.task_names,
            blocks=problem.table.block_names,
            trainings=trained_trees(at_both_lengths(self.done, self.spending.short), problem.task_names),
            full_epochs=self.spending.full,
            cost=self.spending.spent(self.done),
        )

    def _first_trees(self) -> list[BranchTree]:
        """The separate tree and the cheapest one, those of the similarity, and random ones."""
        problem, goal = self.problem, self.problem.goal
        trees = [*self.spending.ends, *spread_trees(problem, self.limits, _SPREAD, self.generator)]
        if self.advice is not None:
            curve = discretize(
                problem.task_names, self.advice, problem.table, goal.resource, constraints=goal.constraints
            )
            trees[2:2] = [curve.within(limit).tree for limit in self.limits]
        return list(dict.fromkeys(trees))

    def _finalists(self) -> list[BranchTree]:
        """For every budget, the trees within it with the highest posterior means among those trained, best first."""
        table, resource, constraints = self.problem.table, self.problem.goal.resource, self.problem.goal.constraints
        trees = [
            evaluation.tree
            for evaluation in longest_of(self.done)
            if keeps_constraints(evaluation.tree, constraints, table, resource)
        ]
        gain = dict(zip(trees, self.model().mean_gains(trees)[0].tolist(), strict=True))
        best_first = sorted(trees, key=lambda tree: -gain[tree])
        found = [
            [tree for tree in best_first if table.tree_cost(tree)[resource] <= limit][: self.settings.finals]
            for limit in self.limits
        ]
        # The best of every budget first, then the second best.
        turns = [group[i] for i in range(self.settings.finals) for group in found if i < len(group)]
        return list(dict.fromkeys(turns))

    def _train(self, requests: Sequence[Request], last: bool = False) -> bool:
        """Train what is affordable, a batch at a time; False if that is nothing."""
        trained = {evaluation.tree: len(evaluation.validation) for evaluation in self.done}
        new = [request for request in requests if trained.get(request.tree, 0) < request.num_epochs]
        for start in range(0, len(new), self.settings.batch):
            batch = new[start : start + self.settings.batch]
            kept = self.spending.affordable(self.done, batch, last)
            for evaluation in evaluator_of(self.problem).train(kept):
                self.done.append(evaluation)
                self.history.append(record_of(evaluation, len(self.history)))
                self.problem.on_epoch(self.history)
            if len(kept) < len(batch):
                return start > 0 or bool(kept)
        return bool(new)
