"""What a measured search has spent and may still spend, in trainings or hours."""

from collections.abc import Sequence
from dataclasses import dataclass

from nas.strategies.evaluator import Evaluation, Request
from nas.strategies.transfer.results import longest_of
from nas.tree import BranchTree, CostTable


@dataclass(frozen=True)
class Spending:
    """Costs in full trainings of a tree that costs `largest`.

    Args:
        table, resource: costs of the parts; a training costs as much as its tree, in proportion.
        largest: the largest budget, an absolute amount.
        full: epochs of a full training.
        trainings: what may be spent on trees.
        seconds: likewise in time; None for no limit.
    """

    table: CostTable
    resource: str
    largest: float
    full: int
    trainings: float
    seconds: float | None

    def cost(self, tree: BranchTree, num_epochs: int) -> float:
        """The cost of the first epochs of a tree's training."""
        return self.table.tree_cost(tree)[self.resource] / self.largest * num_epochs / self.full

    def spent(self, done: Sequence[Evaluation]) -> float:
        """The cost of trainings; of several evaluations of one tree only the longest counts."""
        return sum(self.cost(evaluation.tree, len(evaluation.validation)) for evaluation in longest_of(done))

    def affordable(
        self, done: Sequence[Evaluation], requests: Sequence[Request], reserve: float = 0.0
    ) -> list[Request]:
        """The first of the requests that are within what is left, less a reserve in trainings."""
        before = {evaluation.tree: len(evaluation.validation) for evaluation in longest_of(done)}
        left = self.trainings - reserve - self.spent(done)
        time = sum(evaluation.seconds for evaluation in longest_of(done))
        per_unit = time / max(self.spent(done), 1e-9)
        kept = []
        for request in requests:
            cost = self.cost(request.tree, request.num_epochs - before.get(request.tree, 0))
            left, time = left - cost, time + cost * per_unit
            # A millionth for rounding in sums of shares.
            if left < -1e-6 or (self.seconds is not None and time + reserve * per_unit > self.seconds):
                break
            kept.append(request)
        return kept
