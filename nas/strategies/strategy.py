"""The strategies by name."""

from nas.experiment import Experiment, RunFolder
from nas.parallel import ALONE, Ranks
from nas.strategies.gradient import GradientStrategy
from nas.strategies.similarity import SimilarityStrategy

Strategy = GradientStrategy | SimilarityStrategy

STRATEGIES: dict[str, type[GradientStrategy] | type[SimilarityStrategy]] = {
    "gradient": GradientStrategy,
    "similarity": SimilarityStrategy,
}
"""By the name that `Experiment.strategy` has."""


def make_strategy(experiment: Experiment, run: RunFolder, number: int = 0, ranks: Ranks = ALONE) -> Strategy:
    """The experiment's strategy, for one trial of a run."""
    return STRATEGIES[experiment.strategy](experiment, run, number, ranks)
