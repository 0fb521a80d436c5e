"""The measured search: trains trees briefly, learns what sharing does, and chooses trees by the exact programme."""

import math
from collections.abc import Sequence
from dataclasses import replace

from nas.errors import InputError
from nas.strategies.goal import Goal
from nas.strategies.protocol import FirstSteps, Found, Problem
from nas.strategies.similarity.dissimilarity import Dissimilarity, read_dissimilarity
from nas.strategies.similarity.own_copies import (
    first_copy_steps,
    make_copy_training,
    train_copies,
)
from nas.strategies.store import Store
from nas.strategies.transfer.conclusion import conclude, read_record, write_record
from nas.strategies.transfer.fitting import learned
from nas.strategies.transfer.search import MeasuredSearch
from nas.strategies.transfer.settings import TransferSettings
from nas.strategies.transfer.spending import Spending
from nas.tree import CostTable


class Transfer(TransferSettings):
    """Measures short trainings of trees, fits a `TransferModel`, and trains the trees that may be the best ones.

    1. The similarity search gives prior means, and its trees are among the first ones.
    2. These, the fully shared and separate trees, and a few spread ones are trained for `length` of a training.
    3. Thompson sampling chooses the next trees, until what may be spent is spent or the choice is clear.
    4. The best trees of each budget are trained to the full length, and the model learns how well short trainings
       predict long ones, task by task.

    The trees found are the exact programme's for the posterior mean.
    """

    @property
    def num_epochs(self) -> int:
        """Epochs of the similarity search, and one for every short training of a tree of the largest budget."""
        copies = 0 if self.start is None else self.start.epochs
        return copies + max(1, math.ceil(self.trainings / self.length))

    @property
    def trees_at_once(self) -> int:
        return self.batch

    def check_problem(self, problem: Problem) -> None:
        """InputError if `trainings` do not suffice for the own copies and the first four trees."""
        Spending(self, problem).require_enough()

    def search(self, problem: Problem) -> Found:
        """Measure, learn and choose."""
        self.check_problem(problem)
        history, advice = [], None
        if self.start is not None:
            state, measured = train_copies(make_copy_training(problem, self.start), problem, first=True)
            history, advice = list(state.history), measured.above_floor(1.0)
        search = MeasuredSearch(self, problem, advice, history)
        search.run()
        record = search.record()
        found = conclude([record], problem.table, problem.goal, advice)
        assert found.curve is not None
        write_record(problem.store, learned(record, search.model(), [point.tree for point in found.curve]))
        return replace(found, history=search.history)

    def cut(self, problem: Problem) -> Found:
        """Trees for another goal, from what the search measured."""
        return self.pool([problem.store], problem.table, problem.goal)

    def pool(self, stores: Sequence[Store], table: CostTable, goal: Goal) -> Found:
        """The trees by the trainings of several searches together, each relative to references of its own.

        The advice of the model is their mean dissimilarity.
        """
        advice = None
        if self.start is not None:
            advice = Dissimilarity.mean([read_dissimilarity(store.folder) for store in stores]).above_floor(1.0)
        return conclude([read_record(store) for store in stores], table, goal, advice)

    def first_steps(self, problem: Problem) -> FirstSteps:
        """The losses of one step of the copies' training, and the predicted time of the whole search."""
        steps, spending = self._first_copy_steps(problem), Spending(self, problem)
        seconds = steps.seconds + (self.trainings - spending.copies) * spending.seconds_of_training
        return replace(steps, seconds=seconds if self.hours is None else min(seconds, 3600.0 * self.hours))

    def trainings_within(self, problem: Problem, hours: float) -> float:
        """How many trainings fit into a time, by the time of a few steps.

        Raises:
            InputError: they do not suffice for the own copies and the first four trees.
        """
        spending = Spending(self, problem)
        training = spending.seconds_of_training
        copies = self._first_copy_steps(problem).seconds
        trainings = (3600.0 * hours - copies) / training
        least = spending.teachers + spending.least
        if trainings < least:
            raise InputError(
                f"`hours`: {hours:g} hours are too little for own copies and the first four trees, which take about "
                f"{(copies + least * training) / 3600.0:.2g} hours; take more time, or shorten "
                "strategy.start.epochs or strategy.length"
            )
        return spending.copies + trainings

    def _first_copy_steps(self, problem: Problem) -> FirstSteps:
        return FirstSteps({}, 0.0, 0) if self.start is None else first_copy_steps(problem, self.start)
