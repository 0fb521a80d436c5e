"""The evaluator: trains trees, briefly or in full, and says what each task reached on the validation split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from nas.training.measured import Measured
from nas.tree import BranchTree


@dataclass(frozen=True)
class Request:
    """A tree to train for the first `num_epochs` epochs of the recipe's training."""

    tree: BranchTree
    num_epochs: int


@dataclass(frozen=True)
class Evaluation:
    """What the first epochs of a tree's training reached.

    Args:
        validation: losses and metrics on the validation split after each epoch, by task.
        seconds: how long the epochs took.
    """

    tree: BranchTree
    validation: Sequence[Measured]
    seconds: float


class Evaluator(Protocol):
    """Trains trees with the recipe's `retrain` settings and the seed of the search.

    A short training is the beginning of the full one: the same batches, schedule and first weights, stopped early. So a
    longer training of the same tree continues from it, and what `retrain` and `compare` train counts as well. No epoch
    is trained twice. Trees that share a block in the same group start from the same weights there.
    """

    @property
    def num_epochs(self) -> int:
        """Length of the recipe's training."""

    def teachers(self, tree: BranchTree) -> Sequence[BranchTree]:
        """Single-task networks whose full trainings a tree's needs first, for distillation; none without it."""

    def train(self, requests: Sequence[Request]) -> list[Evaluation]:
        """The evaluations in the order of the requests; trainings that exist are only read."""

    def seconds_per_epoch(self, tree: BranchTree) -> float:
        """How long an epoch of a tree's training takes, from a few steps."""
