"""What the strategies that measure a fully shared network have in common: one training, one record, one programme."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from nas.data import Batch
from nas.networks.branched import BranchedNetwork
from nas.strategies.affinity.conclusion import conclude
from nas.strategies.affinity.learning import judged
from nas.strategies.affinity.record import AffinityRecord
from nas.strategies.affinity.shared_settings import SharedNetworkSettings
from nas.strategies.affinity.shared_training import SharedState, SharedTraining
from nas.strategies.affinity.spending import cost_in_trainings
from nas.strategies.goal import Goal
from nas.strategies.protocol import FirstSteps, Found, Problem
from nas.strategies.store import Store
from nas.tasks import Task
from nas.tree import CostTable


class SharedNetworkStrategy(SharedNetworkSettings, ABC):
    """Trains the fully shared network, measures affinities in it, and finds trees by their `unlikeness`."""

    @property
    @abstractmethod
    def measure(self) -> str:
        """What the quality of a tree is, in a few words."""

    @abstractmethod
    def affinity(self, network: BranchedNetwork, tasks: Sequence[Task], batch: Batch) -> Tensor:
        """What task s does for task t at each block, [l, t, s]; NaN where a task has no labels in either half."""

    @abstractmethod
    def scale(self, num_tasks: int) -> float:
        """The factor from `unlikeness` to the dissimilarity, which gives the value of a tree its unit."""

    @abstractmethod
    def steps_to_measure(self, num_tasks: int, num_blocks: int) -> float:
        """What measuring a batch costs in training steps, with a backward pass as two forward passes."""

    def search(self, problem: Problem) -> Found:
        """Train and measure from the last checkpoint to the end, and discretise."""
        training = self._training(problem)
        state = training.run()
        record = self._record(problem, training, state)
        record.write(problem.store)
        found = replace(conclude([record], problem.table, problem.goal), history=state.history)
        return judged(found, problem, state.network, state.network, self.batch_size)

    def cut(self, problem: Problem) -> Found:
        """Trees for another goal, from the measured affinities."""
        return conclude([AffinityRecord.read(problem.store, problem.task_names)], problem.table, problem.goal)

    def pool(self, stores: Sequence[Store], table: CostTable, goal: Goal) -> Found:
        """The trees of the mean affinities of several searches."""
        return conclude([AffinityRecord.read(store) for store in stores], table, goal)

    def first_steps(self, problem: Problem) -> FirstSteps:
        """The losses of one step, and the predicted time of the search."""
        return self._training(problem).first_steps()

    def predicted_cost(self, problem: Problem) -> float | None:
        """The cost of the search before it begins, as its record has it afterwards."""
        return self._cost(problem, self._training(problem))

    def _training(self, problem: Problem) -> SharedTraining:
        return SharedTraining(problem, self, lambda network, batch: self.affinity(network, problem.tasks, batch))

    def _record(self, problem: Problem, training: SharedTraining, state: SharedState) -> AffinityRecord:
        means, scale = state.means, self.scale(len(problem.tasks))
        return AffinityRecord.of(
            *(problem, self.measure, means.affinity_LTT, scale * means.unlike_LTT),
            error_LTT=None if means.error_LTT is None else scale * means.error_LTT,
            cost=self._cost(problem, training),
        )

    def _cost(self, problem: Problem, training: SharedTraining) -> float | None:
        extra = training.measured_share * self.steps_to_measure(len(problem.tasks), problem.backbone.num_blocks)
        return cost_in_trainings(problem, [(training.tree, self.epochs * (1.0 + extra))])
