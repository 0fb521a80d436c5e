"""The setting of the similarity search that compares representations as Vandenhende et al. do."""

from typing import Any

from nas.strategies.similarity import Similarity


def what_to_share(**changes: Any) -> Similarity:
    """Rank correlation of representation dissimilarities of one network for each task, with named changes.

        RDM_t[i, j] = 1 - pearson(F_t[i], F_t[j]),     d_l(s, t) = 1 - spearman(RDM_s, RDM_t)

    It is `Similarity` with ``measure="rdm"`` and ``copies=1``. One network for each task gives no noise floor, so the
    dissimilarities are as the source has them, and tasks share only for a budget. Without budgets the tree is the elbow
    of the curve. ``Similarity(measure="rdm")`` has two copies and subtracts the floor.

    Source: Branched Multi-Task Networks: Deciding What Layers To Share (Vandenhende et al., BMVC 2020).

    Differs from the source: the networks share one stem. Rows are samples, or positions of samples, not whole images
    (`nas.strategies.similarity.measures.rdm_correlation`). The source searches trees by a beam; here the
    exact programme finds the best tree within each budget, and a pair's dissimilarity counts 1/|G| in its group.

    >>> what_to_share(epochs=5).measure
    'rdm'
    """
    return Similarity(**{"measure": "rdm", "copies": 1, **changes})
