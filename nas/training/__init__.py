"""Training and evaluating discrete networks, and judging them against single-task ones."""

from nas.training.evaluate import TreeNetwork, estimate_batch_statistics, evaluate, try_metrics
from nas.training.logs import EpochLogs
from nas.training.measured import Measured, Value
from nas.training.methods import require_methods
from nas.training.relative import Directions, comparable, delta_m, metric_directions
from nas.training.retrain import Retraining
from nas.training.settings import DistillSettings, TrainingSettings
from nas.training.state import TrainingState, load_network, parameter_groups
from nas.training.validity import Validity, check_validity

__all__ = [
    "Directions",
    "DistillSettings",
    "EpochLogs",
    "Measured",
    "Retraining",
    "TrainingSettings",
    "TrainingState",
    "TreeNetwork",
    "Validity",
    "Value",
    "check_validity",
    "comparable",
    "delta_m",
    "estimate_batch_statistics",
    "evaluate",
    "load_network",
    "metric_directions",
    "parameter_groups",
    "require_methods",
    "try_metrics",
]
