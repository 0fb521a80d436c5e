"""The order of a search that proposes trees: first trees, a turn for every budget, finals, conclusion."""

import math
from abc import ABC, abstractmethod
from dataclasses import replace

from nas.data import derive_seed
from nas.errors import InputError
from nas.strategies.proposals.conclusion import conclude
from nas.strategies.proposals.measurements import Measurements
from nas.strategies.proposals.record import read_record, write_record
from nas.strategies.proposals.turn import Turn
from nas.strategies.protocol import FirstSteps, Found, Problem
from nas.strategies.transfer.settings import SpendingSettings
from nas.strategies.transfer.spending import Spending


class Proposals(SpendingSettings, ABC):
    """A strategy that proposes trees and learns from their measured gains.

    A subclass has its settings as fields, and one method.
    """

    @abstractmethod
    def propose(self, turn: Turn) -> None:
        """Propose trees within ``turn.limit`` while ``turn.is_open``.

        It may depend on the turn's seed and on the measured gains, and on nothing else.
        """

    @property
    def num_epochs(self) -> int:
        """One for every short training of a tree of the largest budget."""
        return max(1, math.ceil(self.trainings / self.length))

    @property
    def trees_at_once(self) -> int:
        return self.batch

    def check_problem(self, problem: Problem) -> None:
        """InputError if `trainings` do not suffice for the first four trees."""
        Spending(self, problem).require_enough()

    def search(self, problem: Problem) -> Found:
        """Propose, measure and choose."""
        self.check_problem(problem)
        measurements = Measurements(self, problem)
        measurements.begin()
        for turn, limit in enumerate(sorted(measurements.limits)):
            seed = derive_seed(problem.seed, "proposals", turn)
            self.propose(Turn(measurements, limit, measurements.share(turn + 1), seed))
        measurements.train_finals()
        record = measurements.record()
        found = conclude(problem, record)
        write_record(problem.store.folder, record)
        return replace(found, history=measurements.history)

    def cut(self, problem: Problem) -> Found:
        """The best trees for another goal among those that the search trained.

        Raises:
            InputError: the store lacks what it needs, or none of the trees keeps the goal.
        """
        return conclude(problem, read_record(problem.store.folder))

    def first_steps(self, problem: Problem) -> FirstSteps:
        """The predicted time of the whole search; no losses."""
        seconds = self.trainings * Spending(self, problem).seconds_of_training
        return FirstSteps({}, seconds if self.hours is None else min(seconds, 3600.0 * self.hours), 0)

    def trainings_within(self, problem: Problem, hours: float) -> float:
        """How many trainings fit into a time, by the time of a few steps.

        Raises:
            InputError: they do not suffice for the first four trees.
        """
        spending = Spending(self, problem)
        trainings = 3600.0 * hours / spending.seconds_of_training
        least = spending.before + spending.least
        if trainings < least:
            raise InputError(
                f"`hours`: {hours:g} hours are too little for the first four trees, which take about "
                f"{least * spending.seconds_of_training / 3600.0:.2g} hours; take more time, or shorten "
                "strategy.length"
            )
        return trainings
