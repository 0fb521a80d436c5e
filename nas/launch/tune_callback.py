"""Translate Tune's calls about its trials into outcomes and events of this project."""

import pickle
from collections.abc import Callable
from typing import Any

from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError
from ray.tune import Callback

from nas.errors import in_one_line
from nas.launch.worker import TrialFailed
from nas.run import Outcome, Trial, TrialEvent, TrialFailure, TrialResult
from nas.run.outcome import Cause

OnEvent = Callable[[TrialEvent], None]
OnOutcome = Callable[[Trial, Outcome, bool], None]
"""Called at the end of a trial with its outcome, and whether the worker has written the outcome."""


class TuneCallback(Callback):
    """Turns Tune's calls into outcomes and `TrialEvent`s."""

    def __init__(self, on_event: OnEvent, on_outcome: OnOutcome) -> None:
        self._on_event = on_event
        self._on_outcome = on_outcome

    def __getstate__(self) -> dict[str, Any]:
        """Empty: Tune stores its callbacks with its own state, which is never read."""
        return {}

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: dict[str, Any], **info: Any) -> None:
        if "record" in result:
            self._say("epoch", trial, record=result["record"])
        elif "num_epochs" in result:
            self._say("started", trial, num_epochs=result["num_epochs"], epochs_done=result["epochs_done"])

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._say("retried", trial, reason=_failure(trial).reason)

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._end(trial, _failure(trial), written=False)

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        record = (trial.last_result or {}).get("outcome")
        if record is None:
            self._end(trial, TrialResult(status="stopped"), written=False)
        else:
            kind = TrialResult if "points" in record else TrialFailure
            self._end(trial, kind.model_validate(record), written=True)

    def _end(self, trial: Any, outcome: Outcome, written: bool) -> None:
        self._on_outcome(_ours(trial), outcome, written)
        if isinstance(outcome, TrialFailure):
            self._say("failed", trial, reason=outcome.reason)
        else:
            self._say(outcome.status, trial)

    def _say(self, kind: Any, trial: Any, **fields: Any) -> None:
        self._on_event(TrialEvent(kind, _ours(trial), **fields))


def _ours(trial: Any) -> Trial:
    return Trial(**trial.config["trial"])


def _failure(trial: Any) -> TrialFailure:
    """Why the last attempt at a trial failed."""
    cause, reason = _describe(_last_error(trial))
    return TrialFailure(cause=cause, reason=reason, num_attempts=max(1, trial.num_failures))


def _last_error(trial: Any) -> BaseException | None:
    """The error of a trial, which Tune pickles into a file; this process has just written it, so it is safe to read."""
    try:
        with open(trial.pickled_error_file, "rb") as file:
            error: BaseException = pickle.load(file)
    except (OSError, TypeError, pickle.UnpicklingError):
        return None
    return error


def _describe(error: BaseException | None) -> tuple[Cause, str]:
    cause = getattr(error, "cause", None) if isinstance(error, RayTaskError) else error
    if isinstance(cause, TrialFailed):
        return cause.cause, cause.reason
    if isinstance(cause, OutOfMemoryError):
        return "machine", "out of memory: Ray ended its worker; lower strategy.batch_size or trials.concurrency"
    if isinstance(cause, RayActorError):
        return "machine", "its worker was lost, perhaps with its machine or for want of memory"
    return "error", "Tune ended it without a reason" if cause is None else in_one_line(cause)
