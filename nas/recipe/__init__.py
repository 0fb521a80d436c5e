"""Recipes: what a recipe file returns, how it is changed by ``--set``, recorded, and loaded.

recipe.py -> `Experiment` (typed, validated, lazy) -> experiment.json
"""

from nas.recipe.experiment import CompareSettings, Experiment
from nas.recipe.lazy import Lazy, lazy
from nas.recipe.load import load_recipe, recipe_hash
from nas.recipe.modules import changed_modules, module_hashes
from nas.recipe.overrides import apply_changes, parse_overrides
from nas.recipe.record import describe
from nas.recipe.trial_settings import EXTENDABLE, Int, LogUniform, OneOf, Range, TrialsSettings, Uniform

__all__ = [
    "EXTENDABLE",
    "CompareSettings",
    "Experiment",
    "Int",
    "Lazy",
    "LogUniform",
    "OneOf",
    "Range",
    "TrialsSettings",
    "Uniform",
    "apply_changes",
    "changed_modules",
    "describe",
    "lazy",
    "load_recipe",
    "module_hashes",
    "parse_overrides",
    "recipe_hash",
]
