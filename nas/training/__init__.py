"""Training: the network of one tree, trained on all its tasks, evaluated, and compared with single-task networks.

`Retraining` trains a `nas.networks.branched.BranchedNetwork` and keeps a checkpoint after every epoch; `TrainingState`
is all that changes while it runs. `evaluate` gives the loss and the metrics of every task on a split. `delta_m` turns
these into one number: the mean relative gain over single-task networks, in percent.

>>> singles = {"semseg": {"miou": 0.50}, "depth": {"rmse": 0.80}}
>>> shared = {"semseg": {"miou": 0.52}, "depth": {"rmse": 0.84}}
>>> higher_is_better = {"semseg": {"miou": True}, "depth": {"rmse": False}}
>>> round(delta_m(shared, singles, higher_is_better), 3)  # 4 % better, 5 % worse
-0.5

Where to start:

- `retrain` has the epochs, `step` has one optimiser step, `settings` has everything that a recipe can change;
- `balance` weighs the tasks' losses, `aggregate` combines their gradients where tasks share parameters, `distill` adds
  losses against the outputs of single-task networks, `average` keeps an average of the weights;
- `score` decides which epoch is the best;
- `interval` says how much a mean over a few seeds can be off.
"""

from typing import TYPE_CHECKING

from nas.lazy_names import on_first_use

if TYPE_CHECKING:
    from nas.training.directions import metric_directions
    from nas.training.evaluate import TreeNetwork, estimate_batch_statistics, try_metrics
    from nas.training.interval import FEWEST_SEEDS, half_interval, standard_error
    from nas.training.logs import EpochLogs, LogKind, require_logs
    from nas.training.measured import Measured, Value
    from nas.training.methods import require_methods
    from nas.training.relative import Directions, comparable, delta_m
    from nas.training.retrain import Retraining
    from nas.training.settings import DistillSettings, TrainingSettings
    from nas.training.state import TrainingRecord, TrainingState, load_network, parameter_groups
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "FEWEST_SEEDS",
    "Directions",
    "DistillSettings",
    "EpochLogs",
    "LogKind",
    "Measured",
    "Retraining",
    "TrainingRecord",
    "TrainingSettings",
    "TrainingState",
    "TreeNetwork",
    "Value",
    "comparable",
    "delta_m",
    "estimate_batch_statistics",
    "half_interval",
    "load_network",
    "metric_directions",
    "parameter_groups",
    "require_logs",
    "require_methods",
    "standard_error",
    "try_metrics",
]
