"""The measured search: trains trees briefly, learns what sharing does, and chooses trees by the exact programme."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch

from nas.cost import resolve_budget
from nas.data import derive_seed
from nas.discretize import cheapest_tree, margin
from nas.errors import InputError
from nas.strategies.evaluator import Evaluation, Evaluator, Request
from nas.strategies.protocol import FirstSteps, Found, FoundTree, Problem
from nas.strategies.similarity.dissimilarity import Dissimilarity
from nas.strategies.similarity.own_copies import curve_of, first_copy_steps, make_copy_training, train_copies
from nas.strategies.transfer.choice import curve_of_effects, draw_trees, spread_trees
from nas.strategies.transfer.findings import Contest, diagnose
from nas.strategies.transfer.model import TransferModel
from nas.strategies.transfer.record import TrainedTree, TransferRecord, as_tuples
from nas.strategies.transfer.results import at_both_lengths, longest_of, results_of
from nas.strategies.transfer.settings import TransferSettings
from nas.strategies.transfer.spending import Spending
from nas.tree import BranchTree

MEASURE = "gain over single tasks, % of loss"

LEAST = 3
"""Trainings of a tree without which a measured search learns nothing."""

_RECORD = "transfer"

Kind = Literal["estimated", "measured"]


class Transfer(TransferSettings):
    """Measures short trainings of trees, fits a `TransferModel`, and trains the trees that may be the best ones.

    1. The similarity search gives prior means, and its trees are the first ones.
    2. These, the fully shared and separate trees, and a few spread ones are trained for `length` of a training.
    3. Thompson sampling chooses the next trees, until what may be spent is spent or the choice is clear.
    4. The best trees of each budget are trained to the full length, and the model tells how well short trainings
       predict long ones, task by task.

    The trees found are the exact programme's for the posterior mean.
    """

    @property
    def num_epochs(self) -> int:
        """Epochs of the similarity search, and one for every short training that is affordable."""
        copies = 0 if self.start is None else self.start.epochs
        return copies + max(1, math.ceil(self.trainings / self.length))

    @property
    def trees_at_once(self) -> int:
        return self.batch

    def search(self, problem: Problem) -> Found:
        """Measure, learn and choose."""
        search = _Search(self, problem, *self._prior(problem))
        search.run()
        return search.found()

    def first_steps(self, problem: Problem) -> FirstSteps:
        """The losses of one step of the copies' training, and the predicted time of the whole search."""
        steps = self._first_copy_steps(problem)
        seconds = steps.seconds + max(0.0, self.trainings - self._copies_cost(problem)) * _seconds_of_training(problem)
        return replace(steps, seconds=seconds if self.hours is None else min(seconds, 3600.0 * self.hours))

    def trainings_within(self, problem: Problem, hours: float) -> float:
        """How many trainings fit into a time, by the time of a few steps.

        Raises:
            InputError: fewer than three.
        """
        left = 3600.0 * hours - self._first_copy_steps(problem).seconds
        trainings = max(0.0, left) / _seconds_of_training(problem)
        if trainings < LEAST:
            needed = (3600.0 * hours - left + LEAST * _seconds_of_training(problem)) / 3600.0
            raise InputError(
                f"`hours`: {hours:g} hours are too little for own copies and {LEAST} trainings of a tree, which take "
                f"about {needed:.2g} hours; take more time, or shorten the trainings (retrain.epochs)"
            )
        return self._copies_cost(problem) + trainings

    def _first_copy_steps(self, problem: Problem) -> FirstSteps:
        return FirstSteps({}, 0.0, 0) if self.start is None else first_copy_steps(problem, self.start)

    def _copies_cost(self, problem: Problem) -> float:
        """The cost of training own copies, in full trainings of a tree that costs the largest budget."""
        if self.start is None:
            return 0.0
        separate = problem.table.separate_cost()[problem.goal.resource]
        epochs = self.start.epochs / _evaluator_of(problem).num_epochs
        return self.start.copies * epochs * separate / _largest(problem)

    def _prior(self, problem: Problem) -> tuple[Dissimilarity | None, list[Any]]:
        """What similarity says, and the records of its epochs."""
        if self.start is None:
            return None, []
        state, measured = train_copies(make_copy_training(problem, self.start), problem, first=True)
        return measured, state.history


@dataclass
class _Search:
    """One search: what is known so far, and what to do next. It is a function of the trainings' results alone."""

    settings: Transfer
    problem: Problem
    similarity: Dissimilarity | None
    history: list[Any]

    def __post_init__(self) -> None:
        problem, settings = self.problem, self.settings
        self.evaluator = _evaluator_of(problem)
        self.done: list[Evaluation] = []
        self.limits = [limit for _, limit in _limits(problem)]
        full, largest = self.evaluator.num_epochs, max(self.limits)
        copies = settings._copies_cost(problem)
        seconds = None if settings.hours is None else 3600.0 * settings.hours
        resource = problem.goal.resource
        self.spending = Spending(problem.table, resource, largest, full, settings.trainings - copies, seconds)
        self.copies_cost = copies
        self.short = max(1, round(settings.length * full))
        self.generator = torch.Generator().manual_seed(derive_seed(problem.seed, "transfer"))

    def run(self) -> None:
        """Spend the trainings."""
        reserve = self.settings.finals * len(self.limits) * (1.0 - self.short / self.spending.full)
        reserve = min(reserve, 0.5 * self.spending.trainings)
        more = self._train([Request(tree, self.short) for tree in self._first_trees()], reserve)
        while more:
            draws = draw_trees(self.problem, self.model(), self.limits, self.generator)
            if draws.chance_of_more_than(self.settings.margin) <= self.settings.chance:
                break
            chosen = draws.not_among([evaluation.tree for evaluation in self.done])[: self.settings.batch]
            more = self._train([Request(tree, self.short) for tree in chosen], reserve)
        self._train([Request(tree, self.spending.full) for tree in self._finalists()], 0.0)

    def found(self) -> Found:
        """The best tree of each budget by the posterior mean, and the best one within the largest budget."""
        problem, model, largest = self.problem, self.model(), max(self.limits)
        curve = curve_of_effects(problem, model.effects_LTT, largest)
        limits = [*_limits(problem), *([(None, largest)] if problem.goal.budgets else [])]
        contest = Contest(problem, model)
        full = {e.tree for e in self.done if len(e.validation) >= self.spending.full}
        trees, margins = [], []
        for budget, limit in limits:
            tree, between = curve.within(limit).tree, margin(curve, limit)
            gain, std = contest.gain(tree)
            chance = None if between is None else contest.chance(tree, between.runner_up)
            kind: Kind = "measured" if tree in full else "estimated"
            trees.append(FoundTree(tree, budget, gain, MEASURE, std, chance, kind))
            margins.append(between)
        problem.store.write(_RECORD, self._record(model).model_dump())
        chosen = [(found.budget, found.tree) for found in trees]
        return Found(tuple(trees), self.history, diagnose(contest, chosen, margins), curve)

    def _record(self, model: TransferModel) -> TransferRecord:
        names = self.problem.task_names
        rows = longest_of(self.done)
        trained = [
            TrainedTree(
                tree=row.tree.id,
                partitions=row.tree.partitions,
                num_epochs=len(row.validation),
                seconds=row.seconds,
                results={name: value for name, value in zip(names, values, strict=True) if math.isfinite(value)},
            )
            for row, values in zip(rows, results_of(rows, names).tolist(), strict=True)
        ]
        return TransferRecord(
            tasks=names,
            blocks=self.problem.table.block_names,
            effects_LTT=as_tuples(model.effects_LTT),
            errors_LTT=as_tuples(model.errors_LTT),
            noise=dict(zip(names, model.noise_T.tolist(), strict=True)),
            cost=self.copies_cost + self.spending.spent(self.done),
            full_epochs=self.spending.full,
            trainings=tuple(trained),
        )

    def model(self) -> TransferModel:
        """The posterior by all trainings so far."""
        rows = at_both_lengths(self.done, self.short)
        prior = None if self.similarity is None else self.similarity.above_floor(1.0)
        return TransferModel.fit(
            [row.tree for row in rows],
            results_of(rows, self.problem.task_names),
            tasks=self.problem.task_names,
            lengths_N=[len(row.validation) / self.spending.full for row in rows],
            prior=prior,
        )

    def _first_trees(self) -> list[BranchTree]:
        """The separate and the shared tree, similarity's trees, and as many spread ones as make four with these."""
        problem, names, num_blocks = self.problem, self.problem.task_names, len(self.problem.table.blocks)
        trees = [BranchTree.separate(names, num_blocks), BranchTree.shared(names, num_blocks)]
        if self.similarity is not None:
            curve = curve_of(problem, self.similarity)
            trees += [curve.within(limit).tree for limit in self.limits]
        trees += spread_trees(problem, self.limits, 4, self.generator)
        return list(dict.fromkeys(trees))

    def _finalists(self) -> list[BranchTree]:
        """For every budget, the trees within it with the highest posterior means among those trained."""
        model, table = self.model(), self.problem.table
        trees = list(dict.fromkeys(evaluation.tree for evaluation in self.done))
        gain_N = model.mean_gains(trees)[0].tolist()
        best_first = [tree for _, tree in sorted(zip(gain_N, trees, strict=True), key=lambda pair: -pair[0])]
        cost = {tree: table.tree_cost(tree)[self.problem.goal.resource] for tree in trees}
        found = [[tree for tree in best_first if cost[tree] <= limit][: self.settings.finals] for limit in self.limits]
        # The best of every budget first, then the second best.
        turns = [group[i] for i in range(self.settings.finals) for group in found if i < len(group)]
        return list(dict.fromkeys(turns))

    def _train(self, requests: Sequence[Request], reserve: float) -> bool:
        """Train what is affordable; False if that is nothing."""
        kept = self.spending.affordable(self.done, requests, reserve)
        for start in range(0, len(kept), self.settings.batch):
            for evaluation in self.evaluator.train(kept[start : start + self.settings.batch]):
                self.done = [*self.done, evaluation]
                self.history = [*self.history, self._epoch_record(evaluation)]
                self.problem.on_epoch(self.history)
        return bool(kept)

    def _epoch_record(self, evaluation: Evaluation) -> dict[str, Any]:
        last = evaluation.validation[-1]
        return {
            "epoch": len(self.history),
            "phase": "trainings",
            "tree": evaluation.tree.id,
            "num_epochs": len(evaluation.validation),
            "losses": {name: last[name]["loss"] for name in evaluation.tree.tasks},
        }


def _limits(problem: Problem) -> list[tuple[float | None, float]]:
    """Pairs (budget as stated, absolute amount); without budgets, what separate networks cost."""
    goal, table = problem.goal, problem.table
    if not goal.budgets:
        return [(None, table.separate_cost()[goal.resource])]
    cheapest = cheapest_tree(problem.task_names, table, goal.resource, goal.constraints)
    return [(budget, resolve_budget(budget, table, goal.resource, cheapest=cheapest)) for budget in goal.budgets]


def _largest(problem: Problem) -> float:
    return max(limit for _, limit in _limits(problem))


def _seconds_of_training(problem: Problem) -> float:
    """The predicted time of a full training of a tree that costs the largest budget."""
    evaluator = _evaluator_of(problem)
    tree = BranchTree.shared(problem.task_names, len(problem.table.blocks))
    share = problem.table.tree_cost(tree)[problem.goal.resource] / _largest(problem)
    return evaluator.seconds_per_epoch(tree) * evaluator.num_epochs / share


def _evaluator_of(problem: Problem) -> Evaluator:
    assert problem.evaluator is not None, "a measured search trains trees"
    return problem.evaluator
