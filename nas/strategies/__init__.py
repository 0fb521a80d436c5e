"""Strategies: how an experiment's trees are found.

Each is made of an experiment and a trial's folder in a run. ``search(parts, device, on_epoch)`` gives the points of the
front, and ``try_steps(experiment, parts, device)`` takes the first steps without a run.
"""

from nas.strategies.gradient import GradientStrategy, start_search
from nas.strategies.similarity import SimilarityStrategy
from nas.strategies.strategy import STRATEGIES, Strategy, make_strategy
from nas.strategies.tried import TriedSteps

__all__ = [
    "STRATEGIES",
    "GradientStrategy",
    "SimilarityStrategy",
    "Strategy",
    "TriedSteps",
    "make_strategy",
    "start_search",
]
