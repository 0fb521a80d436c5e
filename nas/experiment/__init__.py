"""Experiments: what a recipe returns, how it is changed and recorded, and the folder that a run leaves.

recipe.py -> Experiment (typed, validated, lazy) -> RunFolder (experiment.json, trials/, retrained/, front.json)
"""

from nas.experiment.begun_here import require_begun_here
from nas.experiment.default_folder import default_folder, latest_unfinished
from nas.experiment.environment import describe_environment, resolve_device, use_threads
from nas.experiment.experiment import CompareSettings, Experiment
from nas.experiment.front import Front, Point, Quality, make_front
from nas.experiment.labels import LabelRecord
from nas.experiment.lazy import Lazy, lazy
from nas.experiment.modules import changed_modules, module_hashes
from nas.experiment.named_trees import is_tree_name, named_tree
from nas.experiment.outcome import Outcome, TrialFailure, TrialResult, describe_failure, read_outcome, write_outcome
from nas.experiment.overrides import apply_changes, parse_overrides
from nas.experiment.part_shapes import changed_parts, part_shapes
from nas.experiment.recipe import load_recipe, recipe_hash
from nas.experiment.record import describe
from nas.experiment.retraining import Start, TrainedNetwork, TreeTraining
from nas.experiment.run_folder import RunFolder, plain_changes
from nas.experiment.trial import (
    TrialParts,
    build_backbone,
    build_data,
    build_network,
    check_budgets,
    check_counted,
    measure,
)
from nas.experiment.trial_folder import TrialFolder, locked_folder
from nas.experiment.trial_plan import Trial, TrialEvent, check_ranges, plan_trials, trial_threads
from nas.experiment.trials import EXTENDABLE, Choice, Int, LogUniform, Range, TrialsSettings, Uniform

__all__ = [
    "EXTENDABLE",
    "Choice",
    "CompareSettings",
    "Experiment",
    "Front",
    "Int",
    "LabelRecord",
    "Lazy",
    "LogUniform",
    "Outcome",
    "Point",
    "Quality",
    "Range",
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
    "TrialsSettings",
    "Uniform",
    "apply_changes",
    "build_backbone",
    "build_data",
    "build_network",
    "changed_modules",
    "changed_parts",
    "check_budgets",
    "check_counted",
    "check_ranges",
    "default_folder",
    "describe",
    "describe_environment",
    "describe_failure",
    "is_tree_name",
    "latest_unfinished",
    "lazy",
    "load_recipe",
    "locked_folder",
    "make_front",
    "measure",
    "module_hashes",
    "named_tree",
    "parse_overrides",
    "part_shapes",
    "plain_changes",
    "plan_trials",
    "read_outcome",
    "recipe_hash",
    "require_begun_here",
    "resolve_device",
    "trial_threads",
    "use_threads",
    "write_outcome",
]
