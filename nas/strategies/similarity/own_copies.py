"""Own copies of every task, trained and compared: what the similarity strategy is, and the gradient strategy may start
from."""

from collections.abc import Sequence
from typing import Any

from nas.discretize import Curve, discretize
from nas.errors import InputError
from nas.strategies.protocol import FirstSteps, Problem, state_bytes
from nas.strategies.similarity.copy_training import CopyTraining, CopyTrainingState
from nas.strategies.similarity.dissimilarity import Dissimilarity, measure_dissimilarity
from nas.strategies.similarity.settings import SimilaritySettings
from nas.strategies.store import Store

_RECORD = "similarity"


def make_copy_training(
    problem: Problem, settings: SimilaritySettings, *, affine_last_norm: bool = True
) -> CopyTraining:
    """The training of the copies."""
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
    """Train from the last checkpoint to the end, and keep what was measured as ``similarity.json``.

    Every rank measures, on the same inputs: it takes seconds, and no rank waits.

    Args:
        first: whether another training follows, which has the store's main checkpoints.
    """
    checkpoints = problem.store.preparation if first else problem.store.checkpoints
    state = training.start(problem.backbone)
    if (saved := training.ranks.call_on_first(checkpoints.latest)) is not None:
        state.load(saved, str(checkpoints.folder))
    training.run(state, checkpoints, lambda _: problem.on_epoch(state.history))
    measured = measure_dissimilarity(training, state.copies, problem.backbone)
    problem.store.write(_RECORD, measured.to_dict())
    return state, measured


def read_dissimilarity(store: Store) -> Dissimilarity:
    """What `train_copies` measured; InputError if it is missing or malformed."""
    return Dissimilarity.from_dict(store.read(_RECORD), f"{store.folder / _RECORD}.json")


def first_copy_steps(problem: Problem, settings: SimilaritySettings) -> FirstSteps:
    """One step of the warm-up, and how long all would take."""
    training = make_copy_training(problem, settings)
    state = training.start(problem.backbone)
    # The first step pays for allocations and algorithm choices.
    training.try_steps(state)
    losses, seconds = training.try_steps(state)
    return FirstSteps(losses, seconds, state_bytes(state.copies))


def curve_of(problem: Problem, measured: Dissimilarity, times: float = 1.0) -> Curve:
    """The curve of the dissimilarities above so many times the noise floor, under the goal's constraints."""
    goal = problem.goal
    return discretize(
        problem.task_names, measured.above_floor(times), problem.table, goal.resource, constraints=goal.constraints
    )


def sufficient_cost(problem: Problem, settings: SimilaritySettings, measured: Dissimilarity) -> float:
    """What it costs to keep all tasks apart that differ by more than what the settings tolerate."""
    curve = curve_of(problem, measured, settings.tolerance)
    return curve[len(curve) - 1].cost


def check_tasks(found: Sequence[Any], expected: Sequence[str], store: Store) -> None:
    """InputError unless a checkpoint's tasks are these, in this order."""
    if list(found) != list(expected):
        raise InputError(f"{store.checkpoints.folder}: has the tasks {list(found)}, not {list(expected)}")
