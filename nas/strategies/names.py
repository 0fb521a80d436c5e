"""The strategies that have a name."""

from collections.abc import Callable

from nas.strategies.gradient import Gradient, bmtas
from nas.strategies.protocol import Strategy
from nas.strategies.similarity import Similarity
from nas.strategies.transfer import Transfer

STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "similarity": Similarity,
    "gradient": Gradient,
    "bmtas": bmtas,
    "transfer": Transfer,
}
"""By name, a function that makes the strategy. Recipes, ``--strategy`` and ``--set strategy=NAME`` use these names."""
