"""Recipes: Python files whose function ``experiment()`` returns an `Experiment`.

An `Experiment` holds everything that a run depends on, typed and validated. The data and the backbone are lazy: a
class or function with its arguments, which is called only when it is needed. So an experiment can be built, changed
and recorded without reading any data.

>>> from nas.datasets.digits import DigitPairs, digit_tasks
>>> from search_spaces import DigitsBackbone
>>> experiment = Experiment(
...     tasks=digit_tasks(),
...     backbone=lazy(DigitsBackbone),
...     data=lazy(DigitPairs, num_train=64),
...     input_shape=(1, 12, 20),
... )
>>> changes = parse_overrides(["strategy.epochs=2", "goal.budgets=[0.4, 0.6]", "data.num_train=128"])
>>> changed = experiment.with_fields(changes)
>>> changed.num_epochs, changed.goal.budgets, changed.data.args
(2, (0.4, 0.6), {'num_train': 128})
>>> describe(changed)["data"]
{'type': 'nas.datasets.digits.source.DigitPairs', 'args': {'num_train': 128}}

Start with `experiment`, which documents every field. `load` runs a recipe file, `modules` finds the local modules that
it imports, `overrides` applies ``--set``, `record` writes an experiment as JSON data, and `trial_settings` says which
separate searches a run makes.
"""

from typing import TYPE_CHECKING

from nas.lazy_names import on_first_use
from nas.recipe.lazy import Lazy, lazy

if TYPE_CHECKING:
    from nas.recipe.experiment import CompareSettings, Experiment
    from nas.recipe.load import call_recipe, load_recipe, recipe_hash
    from nas.recipe.modules import changed_modules, module_hashes
    from nas.recipe.overrides import apply_changes, parse_overrides
    from nas.recipe.record import describe
    from nas.recipe.stated_by_data import complete, without_data
    from nas.recipe.trial_settings import EXTENDABLE, Int, LogUniform, OneOf, Range, TrialsSettings, Uniform
else:
    __getattr__, __dir__ = on_first_use(__name__)

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
    "call_recipe",
    "changed_modules",
    "complete",
    "describe",
    "lazy",
    "load_recipe",
    "module_hashes",
    "parse_overrides",
    "recipe_hash",
    "without_data",
]
