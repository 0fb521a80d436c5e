"""What all searches that train a supernet and its logits have in common."""

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import reduce
from typing import Generic, Self, TypeVar

import torch

from nas.cost import resolve_budget
from nas.data import Batch, Dataset, DataSource, batches, derive_seed
from nas.engine import SINGLE_PROCESS, Ranks
from nas.strategies.descent import weighted_sum
from nas.strategies.protocol import Problem, Training
from nas.tasks import Task
from nas.tasks.epoch_losses import EpochLosses, MeanLosses
from nas.tree import CostTable

Settings = TypeVar("Settings", bound=Training)


@dataclass(eq=False)
class SupernetSearch(Generic[Settings]):
    """Everything that stays the same during a search.

    All random numbers of an epoch (order of samples, routing, dropout) come from seeds derived from ``(seed, epoch)``,
    so an epoch depends only on the state before it. A resumed search therefore gives the same bits as an uninterrupted
    one, for the same number of threads.

    Several ranks share every batch. Rank 0 draws the routing and writes. Dropout differs between ranks.

    Args:
        budgets: shares or amounts of the resource; kept as amounts.
    """

    tasks: Sequence[Task]
    data: DataSource
    table: CostTable
    settings: Settings
    _: KW_ONLY
    budgets: Sequence[float] = ()
    resource: str = "macs"
    seed: int
    device: torch.device
    num_workers: int = 0
    ranks: Ranks = SINGLE_PROCESS

    @classmethod
    def of(cls, problem: Problem, settings: Settings) -> Self:
        """The search on a problem."""
        return cls(
            problem.tasks,
            problem.data,
            problem.table,
            settings,
            budgets=problem.goal.budgets,
            resource=problem.goal.resource,
            seed=problem.seed,
            device=problem.device,
            num_workers=problem.num_workers,
            ranks=problem.ranks,
        )

    def __post_init__(self) -> None:
        self.budgets = tuple(resolve_budget(budget, self.table, self.resource) for budget in self.budgets)
        # The exact discretisation cuts a tree down to a smaller budget, but cannot split what never parted.
        self.target = max(self.budgets, default=None)

    def samples(self, name: str) -> Dataset:
        """The samples of a pass, by its name."""
        raise NotImplementedError

    def _num_steps(self, name: str) -> int:
        return max(1, len(self.samples(name)) // self.settings.batch_size)

    def _losses(self, name: str, epoch: int) -> EpochLosses:
        return EpochLosses(self.tasks, epoch, lambda: self._loader(name, epoch))

    def _means(self, losses: EpochLosses) -> MeanLosses:
        """Means in the precision of the losses, added one after another."""
        means = {name: reduce(torch.add, steps) / len(steps) for name, steps in losses.by_task().items()}
        total = weighted_sum(self.tasks, means).item()
        return {"total": total, "tasks": {name: mean.item() for name, mean in sorted(means.items())}}

    def _batches(self, name: str, epoch: int) -> Iterable[Batch]:
        """The batches of an epoch, or this rank's part of each, on the device."""
        return (batch.to(self.device) for batch in self._loader(name, epoch, self.ranks.shard))

    def _loader(self, name: str, epoch: int, shard: tuple[int, int] = (0, 1)) -> Iterable[Batch]:
        return batches(
            *(self.samples(name), self.settings.batch_size),
            seed=derive_seed(self.seed, name),
            epoch=epoch,
            shuffle=True,
            num_workers=self.num_workers,
            shard=shard,
        )
