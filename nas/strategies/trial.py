"""Running one trial in its folder, in whatever process that is."""

from collections.abc import Callable
from typing import Any

import torch

from nas.experiment import Experiment, RunFolder, Trial, TrialParts, TrialResult, write_outcome
from nas.strategies.strategy import make_strategy

OnEpoch = Callable[[dict[str, Any]], None]


def run_trial(
    experiment: Experiment,
    trial: Trial,
    run: RunFolder,
    device: torch.device,
    on_epoch: OnEpoch = lambda _: None,
    parts: TrialParts | None = None,
) -> TrialResult:
    """Search one trial from its last checkpoint to its result; one that has a result is only read.

    Args:
        experiment: the trial's own (`Trial.experiment`).
        parts: those of the trial, if they are built already.

    Raises:
        InputError, WorkFailed: as the search does; or another process writes into the trial's folder.
    """
    folder = run.trial(trial.number)
    with folder.locked():
        if isinstance(outcome := folder.outcome, TrialResult):
            return outcome
        # An earlier failure is no outcome of what runs now.
        (folder.path / "failure.json").unlink(missing_ok=True)
        folder.write_setting(trial)
        strategy = make_strategy(experiment, run, trial.number)
        points = strategy.search(parts or TrialParts.build(experiment), device, on_epoch)
        result = TrialResult(points=tuple(points))
        write_outcome(folder.path, result)
        return result
