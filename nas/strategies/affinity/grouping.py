"""The grouping strategy: which tasks should share a whole network, by the results of all networks of two tasks."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from nas.discretize import Curve
from nas.discretize.grouping import gains_by_pairs, grouping_curve
from nas.discretize.lattice import Floats
from nas.errors import InputError
from nas.strategies.affinity.conclusion import check_alike, judge_cost, judge_pairs
from nas.strategies.affinity.pair_training import PairTraining
from nas.strategies.affinity.record import AffinityRecord
from nas.strategies.curve import budget_limits
from nas.strategies.diagnosis import Diagnosis, judge_sharing
from nas.strategies.goal import Goal
from nas.strategies.protocol import Found, FoundTree, Problem
from nas.training import FEWEST_SEEDS, standard_error
from nas.tree import BranchTree, CostTable

MEASURE = "mean gain by pairs that share all blocks, % of loss"


class Grouping(PairTraining):
    """Groups tasks that share all blocks; groups share nothing but the stem. For up to 12 tasks.

    It trains the separate tree and, for each pair of tasks, their network with all blocks shared: T (T - 1) / 2
    trainings of two tasks for `length` of the recipe's training. A task's gain in a group is the mean of its gains with
    the others, one at a time, and `nas.discretize.grouping` finds the groups of greatest gain within every budget
    exactly. Each group costs all blocks, so a budget is a number of groups.

    Source: Standley et al., "Which Tasks Should Be Learned Together in Multi-task Learning?" (ICML 2020), with their
    higher-order approximation.

    Differs from the source: a task is in one group only (there, a further network may serve some of its tasks only).

    Args:
        length, batch: as in `PairTraining`.
    """

    @property
    def num_stages(self) -> int:
        return 1

    def check_problem(self, problem: Problem) -> None:
        """InputError for too many tasks, or constraints that no grouping keeps."""
        num_tasks = len(problem.tasks)
        _curve(problem.task_names, np.zeros((num_tasks, num_tasks)), problem.table, problem.goal)

    def record_of(self, problem: Problem, effects_LTT: Tensor, cost: float | None) -> AffinityRecord:
        return AffinityRecord.of(problem, MEASURE, effects_LTT, -(effects_LTT + effects_LTT.mT) / 2.0, cost=cost)

    def conclude(self, seeds: Sequence[AffinityRecord], table: CostTable, goal: Goal) -> Found:
        check_alike(seeds)
        first, each = seeds[0], [np.array(one.affinity_LTT, np.float64).sum(axis=0) for one in seeds]
        curve = _curve(first.tasks, np.mean(each, axis=0), table, goal)
        limits = budget_limits(curve, goal.budgets)
        unlike_LTT = np.mean([one.unlike_LTT for one in seeds], axis=0)
        sharing = judge_sharing(curve, dict(limits).get(None), None)
        verdicts = (*judge_pairs(first, unlike_LTT), *judge_cost([one.cost for one in seeds]), sharing)
        found = []
        for budget, limit in limits:
            point = curve.within(limit)
            values = [_mean_gain(point.tree, first.tasks, gain_TT) for gain_TT in each]
            std = standard_error(values) if len(values) >= FEWEST_SEEDS else None
            found.append(FoundTree(point.tree, budget, -point.value, MEASURE, std=std))
        return Found(tuple(found), diagnosis=Diagnosis(verdicts=verdicts), curve=curve)


def _curve(tasks: tuple[str, ...], gain_TT: Floats, table: CostTable, goal: Goal) -> Curve:
    try:
        return grouping_curve(tasks, gain_TT, table, goal.resource, goal.constraints)
    except InputError as error:
        raise InputError(f"strategy grouping: {error}") from error


def _mean_gain(tree: BranchTree, tasks: tuple[str, ...], gain_TT: Floats) -> float:
    groups_GT = np.array([[task in group for task in tasks] for group in tree.partitions[0]])
    return float(gains_by_pairs(groups_GT, gain_TT).sum() / len(tasks))
