"""What a search costs, in one unit for all strategies: full trainings of a tree that costs the largest budget.

Training a tree's network for e epochs costs e / (epochs of the recipe) times cost(tree) / largest budget, and other
trainings cost in proportion to what they compute for each sample:

- A forward pass alone is a third of a training step. A step whose weights get no gradient is two thirds.
- K own copies of T tasks are K T networks behind one stem.
- The supernet of parent choice computes its active nodes, whose number is that of uniform logits, as in the warm-up.
  After it, a "hard" step also computes the forward pass of the others.
- A supernet computes a candidate once for each different input. After the first block, mixed inputs differ between the
  tasks, so a soft step computes T C candidates at a block.
- Measuring networks on the validation split and comparing features is not counted for any strategy.

`search_cost` takes what the strategy itself reports in its record, and else `predicted_cost`, which is exact for
strategies that train for a number of epochs, and what a measured search may spend.
"""

from collections.abc import Iterable

import torch

from nas.cost import expected_nodes
from nas.strategies import Problem, Strategy
from nas.strategies.affinity import BottomUp
from nas.strategies.affinity.merging_training import MergingTraining
from nas.strategies.affinity.pair_training import PairTraining
from nas.strategies.affinity.shared_network import SharedNetworkStrategy
from nas.strategies.gradient.settings import GradientSettings
from nas.strategies.parents import ParentSettings
from nas.strategies.similarity.settings import SimilaritySettings
from nas.strategies.transfer.settings import SpendingSettings
from nas.strategies.transfer.spending import evaluator_of, limits_of
from nas.tree import BranchTree

RECORDS = ("transfer", "proposals", "affinity", "merging")
"""Names of records in which strategies report their cost."""


def search_cost(strategy: Strategy, problem: Problem) -> float:
    """The cost of a finished search, whose records are in the problem's store."""
    reports = [name for name in RECORDS if (problem.store.folder / f"{name}.json").is_file()]
    return float(problem.store.read(reports[0])["cost"]) if reports else predicted_cost(strategy, problem)


def predicted_cost(strategy: Strategy, problem: Problem) -> float:
    """The cost of a search before it begins.

    Raises:
        TypeError: nothing is known of such a strategy.
    """
    if isinstance(strategy, SpendingSettings):
        return strategy.trainings
    if isinstance(strategy, SimilaritySettings):
        return _own_copies(strategy, problem)
    if isinstance(strategy, GradientSettings):
        copies = 0.0 if strategy.init is None else _own_copies(strategy.init, problem)
        return copies + _supernet(strategy, problem)
    if isinstance(strategy, ParentSettings):
        return _parents(strategy, problem)
    if isinstance(strategy, PairTraining | SharedNetworkStrategy):
        cost = strategy.predicted_cost(problem)
        assert cost is not None, "the problem has an evaluator"
        return cost
    if isinstance(strategy, BottomUp):
        return _merging(strategy, problem)
    raise TypeError(f"what {type(strategy).__name__} costs is not known")


def _own_copies(settings: SimilaritySettings, problem: Problem) -> float:
    """K networks for each task, of one stem."""
    table, resource = problem.table, problem.goal.resource
    separate = table.tree_cost(BranchTree.separate(problem.task_names, len(table.blocks)))[resource]
    stem = table.stem[resource]
    passes = settings.epochs * _samples(problem, settings.splits)
    return _share(problem, (stem + settings.copies * (separate - stem)) * passes)


def _supernet(settings: GradientSettings, problem: Problem) -> float:
    """The warm-up trains own candidates. Later epochs have a step on the logits, too, whose weights get no gradient."""
    table, resource, num_tasks = problem.table, problem.goal.resource, len(problem.tasks)
    blocks = [block[resource] for block in table.blocks]
    own = table.tree_cost(BranchTree.separate(problem.task_names, len(blocks)))[resource]
    mixed = own + (settings.num_candidates or num_tasks) * (blocks[0] + num_tasks * sum(blocks[1:]))
    mixed -= num_tasks * sum(blocks)
    stepped = mixed if settings.routing == "soft" else own
    if settings.weight_step == "per_task":
        # A step for each task computes stem and first block again.
        again = blocks[0] * ((settings.num_candidates or num_tasks) if settings.routing == "soft" else 0)
        stepped += (num_tasks - 1) * (table.stem[resource] + again)
    logits = own if settings.routing == "one_path" else mixed
    train, architecture = (_samples(problem, [split]) for split in ("train", "architecture"))
    warm, rest = settings.warmup_epochs, settings.epochs - settings.warmup_epochs
    return _share(problem, warm * train * own + rest * (train * stepped + architecture * logits * 2.0 / 3.0))


def _parents(settings: ParentSettings, problem: Problem) -> float:
    """Weights and logits have one step, whose backward pass is that of the active nodes alone."""
    table, resource, num_tasks = problem.table, problem.goal.resource, len(problem.tasks)
    nodes = settings.nodes_of(len(table.blocks), num_tasks)
    readers = (*nodes[1:], num_tasks)
    active = expected_nodes([torch.full(shape, 1.0 / shape[1]) for shape in zip(readers, nodes, strict=True)]).tolist()
    step = table.stem[resource] + sum(head[resource] for head in table.heads.values())
    others = 0.0
    for block, number, num_nodes in zip(table.blocks, active, nodes, strict=True):
        step += number * block[resource]
        others += (num_nodes - number) * block[resource] / 3.0
    searched = settings.epochs - settings.warmup_epochs if settings.routing == "hard" else 0
    return _share(problem, (settings.epochs * step + searched * others) * _samples(problem, settings.splits))


def _merging(strategy: BottomUp, problem: Problem) -> float:
    """The tree's cost falls linearly after the warm-up, from the first tree's to the smallest budget."""
    training = MergingTraining(problem, strategy)
    first = problem.table.tree_cost(training.first_tree)[problem.goal.resource]
    rest = strategy.epochs - strategy.warmup
    # A merge takes a whole block away, so the cost is half a block below the line on average.
    block = sum(cost[problem.goal.resource] for cost in problem.table.blocks) / len(problem.table.blocks)
    falling = rest * (training.limit + (first - training.limit) * (rest - 1) / (2 * rest) - block / 2)
    return _share(problem, (strategy.warmup * first + falling) * _samples(problem, strategy.splits))


def _share(problem: Problem, amount: float) -> float:
    """An amount of the resource, summed over all samples of all epochs, in full trainings of the largest budget."""
    largest = max(limit for _, limit in limits_of(problem.task_names, problem.table, problem.goal))
    return amount / largest / evaluator_of(problem).num_epochs / _samples(problem, ("train", "architecture"))


def _samples(problem: Problem, splits: Iterable[str]) -> int:
    return sum(len(problem.data.split(name)) for name in splits)
