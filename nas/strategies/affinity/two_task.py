"""The two-task strategy: trains networks of two tasks that part at different blocks, and adds up what they say."""

from collections.abc import Sequence

from pydantic import PositiveInt
from torch import Tensor

from nas.strategies.affinity.conclusion import conclude
from nas.strategies.affinity.pair_training import PairTraining
from nas.strategies.affinity.record import AffinityRecord
from nas.strategies.goal import Goal
from nas.strategies.protocol import Found, Problem
from nas.strategies.transfer.choice import dissimilarity_of
from nas.tree import CostTable

MEASURE = "mean gain by networks of two tasks, % of loss"


class TwoTask(PairTraining):
    """Trains networks of two tasks, for each pair and each place where they may part, and finds trees by their results.

    With y_t(s, l) the result of task t in the network in which it shares the first l blocks with task s, in percent of
    its loss (`nas.strategies.transfer.results`), and y_t(s, 0) that in separate networks, sharing block l changes t by

        b_l(t, s) = y_t(s, l + 1) - y_t(s, l),     gain(tree) = 1/T sum_t sum_l 2/|G_l(t)| sum_{s in G_l(t)} b_l(t, s)

    so that the trees of greatest gain are the programme's for d_l(s, t) = -2 (b_l(t, s) + b_l(s, t)) / T. In a tree
    whose groups have two tasks at most, the gain is the measured one. The networks of all pairs are
    T (T - 1) / 2 min(L, `stages`) trainings of two tasks, beside one of the separate tree, all for `length` of the
    recipe's training.

    Source: TreeMTL (Zhang, Liu and Guan, AutoML-Conf 2022).

    Differs from the source: it scores a tree by the average of the pairs' results over all pairs, that is
    1/(T - 1) in the place of 2/|G|, so there a pair that shares counts less the more tasks do not share with it; here
    the weight depends on the group alone, which is the form of the exact programme. It ranks all trees over coarse
    blocks; the programme optimises over all trees within a budget.

    Args:
        length, batch: as in `PairTraining`.
        stages: at most so many places where two tasks may part; with more blocks, blocks are grouped into so many
            ranges, and a range's effect is divided equally among its blocks.
    """

    stages: PositiveInt = 4

    @property
    def num_stages(self) -> int:
        return self.stages

    def record_of(self, problem: Problem, effects_LTT: Tensor, cost: float | None) -> AffinityRecord:
        return AffinityRecord.of(problem, MEASURE, effects_LTT, dissimilarity_of(2.0 * effects_LTT), cost=cost)

    def conclude(self, seeds: Sequence[AffinityRecord], table: CostTable, goal: Goal) -> Found:
        return conclude(seeds, table, goal)
