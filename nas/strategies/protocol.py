"""The protocol of strategies: what a strategy gets, and what it returns.

A strategy is any object with a method ``search(problem) -> Found``. This example draws random trees within each budget
and keeps the most expensive one. It works as ``Experiment(strategy=Nearest(...))``:

    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from nas.cost import resolve_budget
    >>> from nas.tree import random_tree
    >>> @dataclass(frozen=True)
    ... class Nearest:
    ...     '''The most expensive of some random trees within each budget.'''
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

All other members are optional. With them, more commands and settings work:

- ``num_epochs: int``: number of epochs that it reports, for the progress bar (1 if it is missing).
- ``num_compared_epochs: int``: number of last epochs with a loss by which ``trials.scheduler`` can stop trials. Without
  it a scheduler is refused.
- ``shared_trainings: Mapping[str, Training]``: by field, the settings of its trainings that run on `Problem.ranks`.
  Without it ``processes`` above 1 are refused.
- ``trees_at_once: int``: number of trees that it asks its evaluator to train at a time (1 if it is missing). With more,
  the trial runs on Ray, and the trees are trained in parallel.
- ``labelled_splits: Sequence[SplitName]``: splits beside "train" and "validation" in which every task needs labels.
- ``check_goal(goal)``: raises ValueError if the strategy cannot find trees for a goal.
- ``check_problem(problem)``: raises InputError if the strategy cannot work on a problem; called before anything is
  written.
- ``first_steps(problem) -> FirstSteps``: what `nas check` shows and predicts from.
- ``inherit(network, tasks, backbone, store)``: gives a network the weights that the search trained
  (``--from inherited``).
- ``cut(problem) -> Found``: trees for another goal from a finished search, without any training (`nas front`). It reads
  what the search kept in ``problem.store`` and returns trees, diagnosis and curve for ``problem.goal``, of which only
  budgets and constraints differ from the search's; all other fields are those of the search, and the history does not
  count. For the goal of the search it returns the same trees and values, so `search` best ends with the same code.
  Samples are loaded only if it asks ``problem.data`` for a split. It raises InputError if the store lacks what it
  needs, writes nothing, and runs on one process.
- ``pool(stores, table, goal) -> Found``: the trees of several finished searches that differ in their seeds, one store
  each. It reads the records that the searches wrote; checkpoints may be missing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import nn

from nas.data import DataSource, SplitName
from nas.discretize import Curve
from nas.engine import SINGLE_PROCESS, Ranks
from nas.engine.compute import ComputeSettings
from nas.networks.backbone import Backbone
from nas.networks.branched import BranchedNetwork
from nas.strategies.diagnosis import Diagnosis
from nas.strategies.evaluator import Evaluator
from nas.strategies.goal import Goal
from nas.strategies.store import Store
from nas.tasks import Task
from nas.tree import BranchTree, CostTable

History = Sequence[Mapping[str, Any]]
"""One record per finished epoch, each with its number, "epoch", from 0."""


def _ignore(history: History) -> None:
    """The default of `Problem.on_epoch`."""


@dataclass(frozen=True)
class Problem:
    """What a strategy gets.

    Args:
        tasks, backbone, data: those of the experiment.
        table: costs of the backbone's parts.
        goal: which trees are wanted.
        seed: seed of all random numbers.
        device: the device to train on.
        store: keeps checkpoints and records. A search that is started again has to continue from the last checkpoint
            and give the same result.
        num_workers: processes that load samples.
        on_epoch: called after each epoch with the records of all epochs so far.
        ranks: processes that share each batch. Rank 0 returns what was found; the others return no trees.
        evaluator: trains trees with the recipe's settings. None where no run can keep them.
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
    evaluator: Evaluator | None = None

    @property
    def task_names(self) -> tuple[str, ...]:
        return tuple(task.name for task in self.tasks)


@dataclass(frozen=True)
class FoundTree:
    """A tree and its quality.

    Args:
        budget: the budget that it was found for; None if the strategy chose the cost.
        value: the quality; higher is better.
        measure: what the value is, in a few words. Only values with the same text are compared.
        std: standard deviation of the value; None if it is not known.
        confidence: probability that the tree is better than the second-best tree of its budget
            (`nas.strategies.confidence`); None if it is not known.
        kind: "measured" if the value is the result of training the tree's own network.
    """

    tree: BranchTree
    budget: float | None
    value: float
    measure: str
    std: float | None = None
    confidence: float | None = None
    kind: Literal["estimated", "measured"] = "estimated"


@dataclass(frozen=True)
class Found:
    """What a search found.

    Args:
        trees: at least one.
        history: the records of all epochs.
        diagnosis: the search's checks of its own result.
        curve: the best tree for every cost, from a strategy that has it.
        withheld: why the estimates say nothing, in one sentence; then none of the trees is recommended.
    """

    trees: tuple[FoundTree, ...]
    history: History = ()
    diagnosis: Diagnosis | None = None
    curve: Curve | None = None
    withheld: str | None = None


@dataclass(frozen=True)
class FirstSteps:
    """The result of one step of each kind.

    Args:
        losses: losses by task.
        seconds: predicted duration of the whole search.
        state_bytes: approximate size of one checkpoint.
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
    """Number of last epochs with a loss by which trials can be stopped."""
    return int(getattr(strategy, "num_compared_epochs", 0))


def trees_at_once(strategy: Strategy) -> int:
    """Number of trees that a strategy wants to be trained at a time."""
    return int(getattr(strategy, "trees_at_once", 1))


def shared_trainings(strategy: Strategy) -> Mapping[str, Training] | None:
    """By field, the settings of trainings that run on several processes; None if the strategy cannot do this."""
    found: Mapping[str, Training] | None = getattr(strategy, "shared_trainings", None)
    return found


def labelled_splits(strategy: Strategy) -> Sequence[SplitName]:
    """Splits beside "train" and "validation" in which a strategy needs labels of every task."""
    found: Sequence[SplitName] = getattr(strategy, "labelled_splits", ())
    return found


def check_goal(strategy: Strategy, goal: Goal) -> None:
    """ValueError if a strategy cannot find trees for a goal."""
    check: Callable[[Goal], None] = getattr(strategy, "check_goal", lambda goal: None)
    check(goal)


def check_problem(strategy: Strategy, problem: Problem) -> None:
    """InputError if a strategy cannot work on a problem."""
    check: Callable[[Problem], None] = getattr(strategy, "check_problem", lambda problem: None)
    check(problem)


def first_steps(strategy: Strategy, problem: Problem) -> FirstSteps | None:
    """A strategy's first steps; None if it has none to show."""
    take: Callable[[Problem], FirstSteps] | None = getattr(strategy, "first_steps", None)
    return None if take is None else take(problem)


Inherit = Callable[[BranchedNetwork, Sequence[Task], Backbone, Store], None]


def inherit_from(strategy: Strategy) -> Inherit | None:
    """The function that copies a search's weights into a network; None if the strategy keeps no weights."""
    found: Inherit | None = getattr(strategy, "inherit", None)
    return found


Cut = Callable[[Problem], Found]


def cut_of(strategy: Strategy) -> Cut | None:
    """The function that gives trees for another goal from a finished search; None if the strategy has none."""
    found: Cut | None = getattr(strategy, "cut", None)
    return found


Pool = Callable[[Sequence[Store], CostTable, Goal], Found]


def pool_of(strategy: Strategy) -> Pool | None:
    """The function that pools the searches of several seeds; None if the strategy has none."""
    found: Pool | None = getattr(strategy, "pool", None)
    return found


def state_bytes(network: nn.Module) -> int:
    """Bytes of a network's weights and of the two moments that Adam keeps for each."""
    sizes: list[int] = [tensor.numel() * tensor.element_size() for tensor in network.state_dict().values()]
    return 3 * sum(sizes)
