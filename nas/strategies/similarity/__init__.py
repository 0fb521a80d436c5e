"""The similarity search: which tasks could share a block, read from networks that each task trains for itself.

`Similarity` is the strategy. `CopyTraining` trains several copies of every task, `features_by_block` collects their features
as rows, and `measures` compares them. `Dissimilarity` compares the copies of different tasks, block by block, with the
distance between two copies of the same task, the noise floor. `start` turns the result into the first logits and
candidates of a gradient search.

    >>> Similarity(copies=3).num_epochs
    20
"""

from nas.strategies.similarity.copy_training import CopyTraining, CopyTrainingState
from nas.strategies.similarity.dissimilarity import Dissimilarity, measure_dissimilarity
from nas.strategies.similarity.features import features_by_block
from nas.strategies.similarity.measures import MEASURES, dissimilarity, linear_cka, r_squared, rdm_correlation
from nas.strategies.similarity.settings import SimilaritySettings
from nas.strategies.similarity.start import candidate_sources, medoid, start_candidates, starting_logits
from nas.strategies.similarity.strategy import Similarity

__all__ = [
    "MEASURES",
    "CopyTraining",
    "CopyTrainingState",
    "Dissimilarity",
    "Similarity",
    "SimilaritySettings",
    "candidate_sources",
    "dissimilarity",
    "features_by_block",
    "linear_cka",
    "measure_dissimilarity",
    "medoid",
    "r_squared",
    "rdm_correlation",
    "start_candidates",
    "starting_logits",
]
