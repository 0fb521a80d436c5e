"""Experiments: what a recipe returns, how it is changed and recorded, and the folder that a run leaves.

recipe.py -> Experiment (typed, validated, lazy) -> RunFolder (experiment.json, trials/, retrained/, front.json)
"""

from nas.experiment.environment import describe_environment, resolve_device, use_threads
from nas.experiment.experiment import CompareSettings, Experiment
from nas.experiment.front import Front, Point, Quality, make_front
from nas.experiment.lazy import Lazy, lazy
from nas.experiment.overrides import apply_changes, explain, parse_overrides
from nas.experiment.recipe import load_recipe, recipe_hash
from nas.experiment.record import describe
from nas.experiment.retraining import Start, TrainedNetwork, TreeTraining
from nas.experiment.run_folder import RunFolder, TrialFolder, default_folder, latest_unfinished, plain_changes
from nas.experiment.trial import TrialParts, build_backbone, build_data, build_network, measure

__all__ = [
    "CompareSettings",
    "Experiment",
    "Front",
    "Lazy",
    "Point",
    "Quality",
    "RunFolder",
    "Start",
    "TrainedNetwork",
    "TreeTraining",
    "TrialFolder",
    "TrialParts",
    "apply_changes",
    "build_backbone",
    "build_data",
    "build_network",
    "default_folder",
    "describe",
    "describe_environment",
    "explain",
    "latest_unfinished",
    "lazy",
    "load_recipe",
    "make_front",
    "measure",
    "parse_overrides",
    "plain_changes",
    "recipe_hash",
    "resolve_device",
    "use_threads",
]
