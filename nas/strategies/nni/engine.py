"""Runs a strategy of NNI in the turn of a budget: NNI proposes, and the evaluator trains."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from nas.strategies.nni.encoding import Encoding
from nas.strategies.nni.fitting import fit
from nas.strategies.nni.library import ExecutionEngine, FinalMetricEvent, ModelStatus, TrainingEndEvent
from nas.strategies.nni.randomness import Randomness
from nas.strategies.nni.space import TreeModels, TreeSpace, WithinLimit
from nas.strategies.proposals import Turn


class TurnEngine(ExecutionEngine):
    """NNI's execution engine over a turn, without a process or a file of NNI's.

    Models wait until there is a batch of them. A model whose tree is known gets its gain at once and costs nothing. One
    that could not be trained has failed, without a metric.

    Args:
        randomness: the global random numbers of NNI, which the training does not touch.
    """

    def __init__(self, turn: Turn, randomness: Randomness) -> None:
        super().__init__()
        self.turn, self.randomness = turn, randomness
        self.models: list[TreeModels] = []
        self.waiting: list[TreeModels] = []

    def submit_models(self, *models: TreeModels) -> None:
        for model in models:
            model.status = ModelStatus.Training
            self.models.append(model)
            if model.tree in self.turn.known:
                self._measure([model])
                continue
            self.waiting.append(model)
            if len(self.waiting) == self.turn.batch:
                self.wait_models()

    def wait_models(self, *models: TreeModels) -> None:
        """Train all models that wait."""
        waiting, self.waiting = self.waiting, []
        if waiting:
            self._measure(waiting)

    def _measure(self, models: Sequence[TreeModels]) -> None:
        with self.randomness.exchanged():
            gains = self.turn.measure([model.tree for model in models])
        for model, gain in zip(models, gains, strict=True):
            if gain is not None:
                self.dispatch_model_event(FinalMetricEvent(model, gain))
            status = ModelStatus.Failed if gain is None else ModelStatus.Trained
            self.dispatch_model_event(TrainingEndEvent(model, status))

    def list_models(self, status: ModelStatus | None = None) -> Iterable[TreeModels]:
        return [model for model in self.models if status is None or model.status == status]

    def idle_worker_available(self) -> bool:
        return True

    def budget_available(self) -> bool:
        return self.turn.is_open


def explore(turn: Turn, make_strategy: Callable[[], Any]) -> None:
    """Let a strategy of NNI propose trees within the turn's budget until the turn is over or it has no more.

    Args:
        make_strategy: makes the strategy; it is called with NNI's own global random numbers.
    """
    if not turn.is_open:
        return
    problem, randomness = turn.problem, Randomness(turn.seed)
    encoding = Encoding(problem.task_names, len(problem.table.blocks))
    space = TreeSpace(encoding, WithinLimit(encoding, problem.table, problem.goal.resource, turn.limit))
    engine = TurnEngine(turn, randomness)
    with _quiet(), randomness.exchanged():
        make_strategy()(TreeModels(space, partial(fit, problem=problem, limit=turn.limit)), engine)
        engine.wait_models()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without NNI's log, which warns whenever a strategy has no more proposals."""
    logger = logging.getLogger("nni")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)
