"""The similarity search: which tasks can share a block, judged by the features of networks that each train on one task.

Every task trains K networks of its own ("copies"), which share only the stem. Two copies of one task differ only by
chance, so their distance is the noise floor. If the copies of two tasks differ hardly more than that at a block, the
tasks can share the block.

`Similarity` is the strategy:

    >>> Similarity(copies=3).num_epochs
    20

Start with `dissimilarity`, which defines the distances and the noise floor. `copy_training` trains the copies,
`features_by_block` collects their features as rows, and `measures` compares the rows. Copies that have learned nothing
look alike, so `learned` compares their validation losses with chance first, and `settled` says when the training may
stop. `start` turns the result into the first candidates and logits of a gradient search.
"""

from typing import TYPE_CHECKING

from nas.lazy_names import on_first_use

if TYPE_CHECKING:
    from nas.strategies.similarity.copy_training import CopyTraining, CopyTrainingState
    from nas.strategies.similarity.dissimilarity import Dissimilarity
    from nas.strategies.similarity.features import features_by_block
    from nas.strategies.similarity.learned import learned_shares
    from nas.strategies.similarity.measures import MEASURES, linear_cka, r_squared, rdm_correlation
    from nas.strategies.similarity.measuring import measure_dissimilarity
    from nas.strategies.similarity.settings import SimilaritySettings
    from nas.strategies.similarity.start import candidate_sources, medoid, start_candidates, starting_logits
    from nas.strategies.similarity.strategy import Similarity
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "MEASURES",
    "CopyTraining",
    "CopyTrainingState",
    "Dissimilarity",
    "Similarity",
    "SimilaritySettings",
    "candidate_sources",
    "features_by_block",
    "learned_shares",
    "linear_cka",
    "measure_dissimilarity",
    "medoid",
    "r_squared",
    "rdm_correlation",
    "start_candidates",
    "starting_logits",
]
