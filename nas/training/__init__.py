"""Training and evaluating discrete networks, and judging them against single-task ones."""

from nas.training.evaluate import Measured, TreeNetwork, estimate_batch_statistics, evaluate
from nas.training.logs import EpochLogs
from nas.training.methods import require_methods
from nas.training.relative import delta_m, metric_directions
from nas.training.retrain import Retraining
from nas.training.settings import DistillSettings, TrainingSettings
from nas.training.state import TrainingState, load_network, parameter_groups
from nas.training.validity import Validity, check_validity

__all__ = [
    "DistillSettings",
    "EpochLogs",
    "Measured",
    "Retraining",
    "TrainingSettings",
    "TrainingState",
    "TreeNetwork",
    "Validity",
    "check_validity",
    "delta_m",
    "estimate_batch_statistics",
    "evaluate",
    "load_network",
    "metric_directions",
    "parameter_groups",
    "require_methods",
]
