"""Trains and compares own copies of every task, for the similarity strategy and for the start of the gradient one."""

from collections.abc import Sequence
from typing import Any

from nas.discretize import Curve, discretize
from nas.engine.loop import resume
from nas.errors import InputError
from nas.networks.supernet import Supernet
from nas.strategies.curve import Limits, budget_limits
from nas.strategies.goal import Goal
from nas.strategies.protocol import FirstSteps, Problem, state_bytes
from nas.strategies.similarity.copy_training import CopyTraining, CopyTrainingState, Look
from nas.strategies.similarity.dissimilarity import NAME, Dissimilarity
from nas.strategies.similarity.learned import learned_shares
from nas.strategies.similarity.measuring import measure_dissimilarity
from nas.strategies.similarity.settings import SimilaritySettings
from nas.strategies.store import Store
from nas.tree import CostTable

LOOK_ROWS = 1024
"""Most rows on which features are compared after an epoch, to see whether the trees change. They are the same ones
after every epoch, and enough for 128 components (`nas.strategies.similarity.measures.ROWS_PER_COMPONENT`)."""


def make_copy_training(
    problem: Problem, settings: SimilaritySettings, *, affine_last_norm: bool = True
) -> CopyTraining:
    """The training of the copies, ready to start."""
    return CopyTraining(
        problem.tasks,
        problem.data,
        settings,
        seed=problem.seed,
        device=problem.device,
        num_workers=problem.num_workers,
        affine_last_norm=affine_last_norm,
        ranks=problem.ranks,
    )


def train_copies(
    training: CopyTraining, problem: Problem, *, first: bool = False
) -> tuple[CopyTrainingState, Dissimilarity]:
    """Train from the last checkpoint to the end, compare the copies, and write the result to ``similarity.json``.

    Every rank compares them on the same inputs: this takes seconds, and no rank has to wait.

    Args:
        first: whether another training follows. The checkpoints then go to `Store.preparation`.
    """
    checkpoints = problem.store.preparation if first else problem.store.checkpoints
    state = training.start(problem.backbone)
    resume(state, checkpoints, training.ranks)

    def look(copies: Supernet) -> Look:
        rough = measure_dissimilarity(training, copies, min(LOOK_ROWS, training.settings.num_rows))
        curve = curve_of(rough, problem.table, problem.goal)
        limits, _ = limits_of(rough, problem.table, problem.goal, training.settings, curve)
        trees = [curve.within(limit).tree.id for _, limit in limits]
        return {"trees": trees, "learned": learned_shares(training, copies)}

    training.run(state, checkpoints, lambda _: problem.on_epoch(state.history), look)
    measured = measure_dissimilarity(training, state.copies)
    problem.store.write(NAME, measured.to_dict())
    return state, measured


def first_copy_steps(problem: Problem, settings: SimilaritySettings) -> FirstSteps:
    """The losses of one step of the training, and its predicted time."""
    training = make_copy_training(problem, settings)
    state = training.start(problem.backbone)
    # The first step includes allocations and the choice of algorithms, so only the second is timed.
    training.try_steps(state)
    losses, seconds = training.try_steps(state)
    return FirstSteps(losses, seconds, state_bytes(state.copies))


def curve_of(measured: Dissimilarity, table: CostTable, goal: Goal, times: float = 1.0) -> Curve:
    """The curve of the dissimilarities above ``times`` the noise floor, under the goal's constraints."""
    return discretize(measured.tasks, measured.above_floor(times), table, goal.resource, constraints=goal.constraints)


def sufficient_cost(measured: Dissimilarity, table: CostTable, goal: Goal, tolerance: float) -> float:
    """The cost of the best tree if only tasks that differ by more than ``tolerance`` times the floor are separated."""
    curve = curve_of(measured, table, goal, tolerance)
    return curve[len(curve) - 1].cost


def limits_of(
    measured: Dissimilarity, table: CostTable, goal: Goal, settings: SimilaritySettings, curve: Curve
) -> tuple[Limits, float | None]:
    """The largest cost that each budget allows; and the `sufficient_cost`, with its own limit under the budget None.

    With one copy there is no floor, so a gain cannot be told from chance: the second result is None, and without
    budgets the limit is the cost of the curve's elbow.
    """
    limits = budget_limits(curve, goal.budgets)
    if settings.copies == 1:
        return limits, None
    enough = sufficient_cost(measured, table, goal, settings.tolerance)
    named = [(budget, limit) for budget, limit in limits if budget is not None]
    return [*named, (None, min(enough, max((limit for _, limit in named), default=enough)))], enough


def check_tasks(found: Sequence[Any], expected: Sequence[str], store: Store) -> None:
    """InputError unless a checkpoint's tasks are these, in this order."""
    if list(found) != list(expected):
        raise InputError(f"{store.checkpoints.folder}: has the tasks {list(found)}, not {list(expected)}")
