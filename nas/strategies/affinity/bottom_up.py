"""The bottom-up strategy: starts with a network for each task, and merges the most similar blocks while it trains."""

from dataclasses import replace

from nas.errors import InputError
from nas.strategies.affinity.conclusion import judge_cost
from nas.strategies.affinity.learning import judged
from nas.strategies.affinity.merging import tree_within
from nas.strategies.affinity.merging_record import MergingRecord
from nas.strategies.affinity.merging_settings import MergingSettings
from nas.strategies.affinity.merging_state import MergingState
from nas.strategies.affinity.merging_training import MergingTraining
from nas.strategies.affinity.spending import cost_in_trainings
from nas.strategies.diagnosis import Diagnosis, Verdict
from nas.strategies.goal import Goal
from nas.strategies.protocol import FirstSteps, Found, FoundTree, Problem
from nas.strategies.transfer.spending import limits_of

MEASURE = "minus dissimilarity of what was merged (cka of features)"


class BottomUp(MergingSettings):
    """Trains a network for each task, all with the same first weights, and merges blocks until the budgets are met.

    Before each epoch after the warm-up, the two groups of a block with the greatest linear CKA of their features,
    averaged over pairs of their tasks, become one group, until the tree's cost is within the epoch's limit. Two groups
    can merge only if they share the block before, so merging goes from the input upwards and the result is always a
    tree. The merged block starts from the mean of both blocks' weights and statistics, weighted by numbers of tasks.
    The optimiser keeps the moments of the block of the first task. A merge from which no tree within the smallest
    budget that keeps the constraints could be reached is not made.

    The tree of a budget is the first one that is within it and keeps the constraints. Its quality is minus the sum of
    1 - CKA of all merges up to it. There is no curve and no confidence, since the order of merges is greedy.

    Source: Multi-Task Structural Learning (MTSL: Gurulingan et al., ICML 2023, arXiv 2305.00441).

    Differs from the source: there, layers that are alike first transfer their knowledge to a new group layer, and the
    earliest layer is grouped before later ones; here weights are averaged, and two groups at a time are merged at any
    block whose earlier blocks are shared, for a budget. All networks share the stem.
    """

    @property
    def num_epochs(self) -> int:
        return self.epochs

    def check_goal(self, goal: Goal) -> None:
        """ValueError if the goal has no budgets: nothing else says when to stop."""
        if not goal.budgets:
            raise ValueError("strategy BottomUp merges blocks until budgets are met; set goal.budgets")

    def search(self, problem: Problem) -> Found:
        """Train and merge from the last checkpoint to the end."""
        self.check_goal(problem.goal)
        training = MergingTraining(problem, self)
        state = training.run()
        record = state.merging.model_copy(update={"cost": self._cost(problem, state)})
        record.write(problem.store)
        found = replace(self._found(problem, record), history=state.history)
        return judged(found, problem, state.networks, state.run, self.batch_size)

    def cut(self, problem: Problem) -> Found:
        """The trees of another goal among those that the search went through.

        Raises:
            InputError: none of them is within a budget and keeps the constraints.
        """
        self.check_goal(problem.goal)
        return self._found(problem, MergingRecord.read(problem.store, problem.task_names))

    def first_steps(self, problem: Problem) -> FirstSteps:
        """The losses of one step, and the predicted time of the search."""
        return MergingTraining(problem, self).first_steps()

    def _found(self, problem: Problem, record: MergingRecord) -> Found:
        trees, values, found = record.trees(), record.values(), []
        for budget, limit in limits_of(problem.task_names, problem.table, problem.goal):
            place = tree_within(trees, problem.table, problem.goal, limit)
            if place is None:
                least = min(problem.table.tree_cost(tree)[problem.goal.resource] for tree in trees)
                raise InputError(
                    f"budget {budget:g}: the search merged no further than a cost of {least:.6g} "
                    f"{problem.goal.resource}, and none of its trees is within the budget and keeps the constraints; "
                    "search again with this goal"
                )
            found.append(FoundTree(trees[place].with_cost(problem.table), budget, values[place], MEASURE))
        verdicts = (*_judge_merges(record), *judge_cost([record.cost]))
        return Found(tuple(found), diagnosis=Diagnosis(verdicts=verdicts))

    def _cost(self, problem: Problem, state: MergingState) -> float | None:
        """What the epochs cost, each by the tree that was trained in it."""
        trees, place, trained = state.merging.trees(), 0, []
        for record in state.history:
            place += len(record["merges"])
            trained.append((trees[place], 1.0))
        return cost_in_trainings(problem, trained)


def _judge_merges(record: MergingRecord) -> list[Verdict]:
    """How much of the networks was merged, and how alike the least similar of the merged groups were."""
    if not record.merges:
        return [
            Verdict(about="affinity", concern=False, text="nothing was merged: separate networks are in the budget")
        ]
    worst = max(record.merges, key=lambda step: step.unlike)
    text = (
        f"{len(record.merges)} merges; the least alike groups were {' '.join(worst.first)} and "
        f"{' '.join(worst.second)} at {record.blocks[worst.block]} (CKA {1.0 - worst.unlike:.2f})"
    )
    return [Verdict(about="affinity", concern=False, text=text)]
