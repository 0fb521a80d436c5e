"""The protocol of strategies: what a strategy is given, and what it returns.

A strategy is any object with a method ``search(problem) -> Found``. This one tries random trees within each budget and
keeps the one that is nearest to the budget; it works as ``Experiment(strategy=Nearest(...))``:

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from nas.cost import resolve_budget
    >>> from nas.tree import random_tree
    >>> @dataclass(frozen=True)
    ... class Nearest:
    ...     '''The dearest of some random trees within each budget.'''
    ...
    ...     draws: int = 10
    ...
    ...     def search(self, problem: Problem) -> Found:
    ...         rng = np.random.default_rng(problem.seed)
    ...         names, table, resource = problem.task_names, problem.table, problem.goal.resource
    ...         trees = []
    ...         for budget in problem.goal.budgets:
    ...             limit = resolve_budget(budget, table, resource)
    ...             drawn = [random_tree(names, table, limit, resource=resource, rng=rng) for _ in range(self.draws)]
    ...             tree = max(drawn, key=lambda tree: table.tree_cost(tree)[resource])
    ...             trees.append(FoundTree(tree, budget, table.tree_cost(tree)[resource], "cost"))
    ...         return Found(tuple(trees))

Whatever else a strategy has is optional, and is what makes more commands work on it:

- ``num_epochs: int``: the epochs that it reports, for the display of progress (1 if it is missing).
- ``num_compared_epochs: int``: how many of the last epochs have a loss that trials can be stopped by
  (``trials.scheduler``, which is refused without it).
- ``trainings: Mapping[str, Training]``: settings of what it trains on `Problem.ranks`, by the name of the field
  (``processes`` above 1 are refused without it).
- ``labelled_splits: Sequence[SplitName]``: the splits in each of which it needs a label of every task, beside "train"
  and "validation".
- ``check_goal(goal)``: raises ValueError if the strategy cannot serve a goal.
- ``first_steps(problem) -> FirstSteps``: what `nas check` shows and predicts from.
- ``inherit(network, tasks, backbone, store)``: gives a network the weights that the search trained
  (``--from inherited``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from nas.data import DataSource, SplitName
from nas.discretize import Curve
from nas.engine import SINGLE_PROCESS, Ranks
from nas.engine.compute import ComputeSettings
from nas.networks.backbone import Backbone
from nas.networks.branched import BranchedNetwork
from nas.strategies.diagnosis import Diagnosis
from nas.strategies.goal import Goal
from nas.strategies.store import Store
from nas.tasks import Task
from nas.tree import BranchTree, CostTable

History = Sequence[Mapping[str, Any]]
"""One record per finished epoch, each with its number, "epoch", from 0."""


def _ignore(history: History) -> None:
    """Nobody watches."""


@dataclass(frozen=True)
class Problem:
    """What a strategy searches a tree for.

    Args:
        tasks, backbone, data: of the experiment.
        table: costs of the backbone's parts.
        goal: which trees are wanted.
        seed: of everything random.
        device: to train on.
        store: keeps checkpoints and records. A search continues from the last checkpoint to the same result.
        num_workers: processes that load samples.
        on_epoch: called after each epoch with the records of all epochs so far.
        ranks: processes that share each batch. Rank 0 returns what was found; the others return no trees.
    """

    tasks: tuple[Task, ...]
    backbone: Backbone
    data: DataSource
    table: CostTable
    goal: Goal
    seed: int
    device: torch.device
    store: Store
    num_workers: int = 0
    on_epoch: Callable[[History], None] = _ignore
    ranks: Ranks = SINGLE_PROCESS

    @property
    def task_names(self) -> tuple[str, ...]:
        return tuple(task.name for task in self.tasks)


@dataclass(frozen=True)
class FoundTree:
    """A tree and its estimate.

    Args:
        budget: that it was found for; None if the strategy chose the cost.
        value: the estimated quality; higher is better.
        measure: what the value is, in a few words. Values of one measure are compared.
    """

    tree: BranchTree
    budget: float | None
    value: float
    measure: str


@dataclass(frozen=True)
class Found:
    """What a search found.

    Args:
        trees: at least one.
        history: the records of all epochs.
        diagnosis: what the search says about its own result.
        curve: the best tree for every cost, from a strategy that has it.
    """

    trees: tuple[FoundTree, ...]
    history: History = ()
    diagnosis: Diagnosis | None = None
    curve: Curve | None = None


@dataclass(frozen=True)
class FirstSteps:
    """What one step of each kind gave.

    Args:
        losses: by task.
        seconds: predicted for the whole search.
        state_bytes: of one checkpoint, about.
    """

    losses: Mapping[str, float]
    seconds: float
    state_bytes: int


@runtime_checkable
class Strategy(Protocol):
    """A way to find trees; the module's text lists its optional members."""

    def search(self, problem: Problem) -> Found: ...


class Training(Protocol):
    """Settings of a training whose batches several processes can share."""

    @property
    def batch_size(self) -> int: ...

    @property
    def compute(self) -> ComputeSettings: ...


def num_epochs(strategy: Strategy) -> int:
    """Epochs that a strategy reports."""
    return int(getattr(strategy, "num_epochs", 1))


def num_compared_epochs(strategy: Strategy) -> int:
    """How many of its last epochs have a loss that trials can be stopped by."""
    return int(getattr(strategy, "num_compared_epochs", 0))


def trainings(strategy: Strategy) -> Mapping[str, Training] | None:
    """Settings of what a strategy trains on several processes; None if it cannot."""
    found: Mapping[str, Training] | None = getattr(strategy, "trainings", None)
    return found


def labelled_splits(strategy: Strategy) -> Sequence[SplitName]:
    """Splits in each of which a strategy needs labels of every task, beside "train" and "validation"."""
    found: Sequence[SplitName] = getattr(strategy, "labelled_splits", ())
    return found


def check_goal(strategy: Strategy, goal: Goal) -> None:
    """ValueError if a strategy cannot serve a goal."""
    check: Callable[[Goal], None] = getattr(strategy, "check_goal", lambda goal: None)
    check(goal)


def first_steps(strategy: Strategy, problem: Problem) -> FirstSteps | None:
    """A strategy's first steps; None if it has none to show."""
    take: Callable[[Problem], FirstSteps] | None = getattr(strategy, "first_steps", None)
    return None if take is None else take(problem)


Inherit = Callable[[BranchedNetwork, Sequence[Task], Backbone, Store], None]


def inherit_from(strategy: Strategy) -> Inherit | None:
    """What gives a network the weights that a search trained; None if the strategy keeps none."""
    found: Inherit | None = getattr(strategy, "inherit", None)
    return found


def state_bytes(network: nn.Module) -> int:
    """Bytes of a network's weights and of two moments of each, as Adam keeps."""
    sizes: list[int] = [tensor.numel() * tensor.element_size() for tensor in network.state_dict().values()]
    return 3 * sum(sizes)
