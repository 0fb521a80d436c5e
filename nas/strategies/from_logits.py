"""From the trained logits and weights of a supernet to found trees, whatever the space."""

from collections.abc import Callable, Sequence

from nas.discretize import Curve
from nas.networks.branched import BranchedNetwork
from nas.strategies.curve import budget_limits, diagnose_curve
from nas.strategies.diagnosis import Diagnosis, Verdict
from nas.strategies.goal import Goal
from nas.strategies.protocol import Found, FoundTree, Problem
from nas.training import estimate_batch_statistics
from nas.training.evaluate import evaluate
from nas.tree import BranchTree

MEASURE = "minus validation loss, inherited weights"

_STATISTICS_BATCHES = 20
"""Number of batches that estimate the BatchNorm statistics of a network before its quality is estimated."""

Inheriting = Callable[[BranchedNetwork], None]
"""Copies the weights of a supernet into the network of a tree."""


def check_argmax_goal(goal: Goal) -> None:
    """ValueError if a goal has budgets or constraints, which the arg-max rule cannot keep."""
    if goal.budgets:
        raise ValueError(
            f"strategy.discretize 'argmax' cannot keep a budget; leave goal.budgets {list(goal.budgets)} out, or "
            "set strategy.discretize to 'exact'"
        )
    if not goal.constraints.empty:
        raise ValueError(
            "strategy.discretize 'argmax' cannot keep constraints; leave goal.constraints out, or set "
            "strategy.discretize to 'exact'"
        )


def found_argmax(
    tree: BranchTree, verdicts: Sequence[Verdict], inherit: Inheriting, problem: Problem, batch_size: int
) -> Found:
    """The arg-max tree with its estimate."""
    value = estimate(tree, inherit, problem, batch_size)
    found = FoundTree(tree.with_cost(problem.table), None, value, MEASURE)
    return Found((found,), diagnosis=Diagnosis(verdicts=tuple(verdicts)))


def found_within(
    curve: Curve,
    drift: float | None,
    verdicts: Sequence[Verdict],
    inherit: Inheriting,
    problem: Problem,
    batch_size: int,
) -> Found:
    """The tree of each budget, or the curve's elbow, with their estimates.

    Args:
        drift: how much the dissimilarities still change, the standard deviation of the diagnosis.
        verdicts: on the logits; those on the curve come after them.
    """
    limits = budget_limits(curve, problem.goal.budgets)
    diagnosis = diagnose_curve(curve, limits, drift)
    diagnosis = diagnosis.model_copy(update={"verdicts": (*verdicts, *diagnosis.verdicts)})
    trees = tuple(
        FoundTree(
            *(tree, budget, estimate(tree, inherit, problem, batch_size), MEASURE),
            # The noise is a lower bound, so this is an upper bound.
            confidence=diagnosis.confidence_within(budget),
        )
        for budget, tree in [(budget, curve.within(limit).tree) for budget, limit in limits]
    )
    return Found(trees, diagnosis=diagnosis, curve=curve)


def estimate(tree: BranchTree, inherit: Inheriting, problem: Problem, batch_size: int) -> float:
    """Minus the weighted validation loss of a tree's network with inherited weights."""
    network = BranchedNetwork(problem.backbone, problem.tasks, tree)
    inherit(network)
    network.to(problem.device)
    estimate_batch_statistics(
        network,
        problem.data.split("train"),
        batch_size=batch_size,
        num_batches=_STATISTICS_BATCHES,
        device=problem.device,
        seed=problem.seed,
    )
    measured = evaluate(
        network,
        problem.tasks,
        problem.data.split("validation"),
        batch_size=max(1, batch_size // problem.ranks.size),
        device=problem.device,
    )
    return -sum(task.weight * measured[task.name]["loss"] for task in problem.tasks)
