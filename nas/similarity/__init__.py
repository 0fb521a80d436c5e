"""Which tasks could share which blocks, read from networks that each task trains for itself.

`WarmUp` trains own copies of every task (`nas.similarity.copies`), `features_by_block` takes their features apart into
rows, `measures` says how alike they are, and `Dissimilarity` puts that beside the noise floor. `start` makes the first
logits and candidates of a gradient search from it.
"""

from nas.similarity.dissimilarity import Dissimilarity, measure_dissimilarity
from nas.similarity.features import features_by_block
from nas.similarity.measures import MEASURES, dissimilarity, linear_cka, r_squared, rdm_correlation
from nas.similarity.settings import SimilaritySettings
from nas.similarity.start import candidate_sources, medoid, start_candidates, starting_logits
from nas.similarity.warmup import WarmUp, WarmUpState

__all__ = [
    "MEASURES",
    "Dissimilarity",
    "SimilaritySettings",
    "WarmUp",
    "WarmUpState",
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
