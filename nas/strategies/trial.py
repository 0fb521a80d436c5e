"""Running one trial in its folder, in whatever process that is."""

from collections.abc import Callable
from typing import Any

import torch

from nas.experiment import Experiment, RunFolder, Trial, TrialFolder, TrialParts, TrialResult, write_outcome
from nas.parallel import ALONE, Ranks
from nas.strategies.strategy import make_strategy

OnEpoch = Callable[[dict[str, Any]], None]


def run_trial(
    experiment: Experiment,
    trial: Trial,
    run: RunFolder,
    device: torch.device,
    on_epoch: OnEpoch = lambda _: None,
    parts: TrialParts | None = None,
    ranks: Ranks = ALONE,
) -> TrialResult:
    """Search one trial from its last checkpoint to its result; one that has a result is only read.

    Args:
        experiment: the trial's own (`Trial.experiment`).
        parts: those of the trial, if they are built already.
        ranks: those that share each batch; the run folder of others than the first is their own, and thrown away.

    Raises:
        InputError, WorkFailed: as the search does; or another process writes into the trial's folder.
    """
    folder = run.trial(trial.number)
    with folder.locked():
        if (done := ranks.from_first(lambda: _result(folder))) is not None:
            return TrialResult.model_validate(done)
        # An earlier failure is no outcome of what runs now.
        (folder.path / "failure.json").unlink(missing_ok=True)
        folder.write_setting(trial)
        strategy = make_strategy(experiment, run, trial.number, ranks)
        built = parts or TrialParts.build(experiment)
        ranks.from_first(lambda: run.labels.settle(experiment, built.data))
        points = strategy.search(built, device, on_epoch)
        result = TrialResult(points=tuple(points))
        write_outcome(folder.path, result)
        return result


def _result(folder: TrialFolder) -> dict[str, Any] | None:
    """The result in a trial's folder as plain values, if there is one."""
    outcome = folder.outcome
    return outcome.model_dump() if isinstance(outcome, TrialResult) else None
