"""Runs: the folder that a run leaves, its trials, its front, and what is trained in it.

`Experiment` -> `RunFolder` (experiment.json, trials/, retrained/, front.json)
"""

from nas.run.begun_here import require_begun_here
from nas.run.default_folder import default_folder, latest_unfinished
from nas.run.environment import describe_environment, resolve_device, use_threads
from nas.run.front import Front, Point, Quality, make_front
from nas.run.labels import LabelRecord
from nas.run.named_trees import is_tree_name, named_tree
from nas.run.outcome import Outcome, TrialFailure, TrialResult, describe_failure, read_outcome, write_outcome
from nas.run.part_shapes import changed_parts, part_shapes
from nas.run.parts import (
    TrialParts,
    build_backbone,
    build_data,
    build_network,
    check_budgets,
    check_counted,
    measure_parts,
)
from nas.run.retraining import Start, TrainedNetwork, TreeTraining
from nas.run.run_folder import RunFolder, plain_changes
from nas.run.trial_folder import TrialFolder, locked_folder
from nas.run.trial_plan import Trial, TrialEvent, check_ranges, plan_trials, trial_threads

__all__ = [
    "Front",
    "LabelRecord",
    "Outcome",
    "Point",
    "Quality",
    "RunFolder",
    "Start",
    "TrainedNetwork",
    "TreeTraining",
    "Trial",
    "TrialEvent",
    "TrialFailure",
    "TrialFolder",
    "TrialParts",
    "TrialResult",
    "build_backbone",
    "build_data",
    "build_network",
    "changed_parts",
    "check_budgets",
    "check_counted",
    "check_ranges",
    "default_folder",
    "describe_environment",
    "describe_failure",
    "is_tree_name",
    "latest_unfinished",
    "locked_folder",
    "make_front",
    "measure_parts",
    "named_tree",
    "part_shapes",
    "plain_changes",
    "plan_trials",
    "read_outcome",
    "require_begun_here",
    "resolve_device",
    "trial_threads",
    "use_threads",
    "write_outcome",
]
