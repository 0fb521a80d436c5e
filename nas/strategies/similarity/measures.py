"""Measures of similarity between the features of copies: pure functions of features_CNW (C copies, N rows, W channels).

A measure gives a [C, C] matrix in double precision, with 1 for copies whose features hold the same information. The
order, rotation and common scale of the channels do not change it. Labels are not needed.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from nas.errors import InputError

Measure = Literal["r2", "cka", "rdm"]

ROWS_PER_COMPONENT = 8
"""Least number of rows per principal component: the R2 of independent features with k components is about k / N."""

RDM_ROWS = 512
"""Number of rows whose pairwise dissimilarities are compared: 130,816 pairs."""

_NEGLIGIBLE = 1e-10
"""Components whose variance is a smaller share of the first component's are treated as rounding errors. Single
precision has 1e-14, and sums of products lose some of it."""


def r_squared(features_CNW: Tensor) -> Tensor:
    """Share of each copy's variance that a linear map of another copy's features explains, [C, C], from s to t.

        R2(s -> t) = |Q_s^T F_t|^2 / |F_t|^2

    with F centred and Q_s an orthonormal basis of the span of F_s. Components of negligible variance (dead or repeated
    channels) do not count, and no more components than `ROWS_PER_COMPONENT` allows: R2 of independent features is k / N
    for k components, so rows must be many more. Not symmetric. A copy whose features are constant explains, and is
    explained by, another such copy only.
    """
    variance_CK, unit_CNK = _components(features_CNW)
    explained_CC = variance_CK.new_empty(len(variance_CK), len(variance_CK))
    for s, agreement_TKK in _agreements(unit_CNK):
        explained_CC[s, s:] = torch.einsum("tij,tj->t", agreement_TKK, variance_CK[s:])
        explained_CC[s:, s] = torch.einsum("tij,i->t", agreement_TKK, variance_CK[s])
    return _defined(explained_CC / _total(variance_CK), variance_CK)


def linear_cka(features_CNW: Tensor) -> Tensor:
    """Linear centred kernel alignment (Kornblith et al., ICML 2019, eq. 3), [C, C], symmetric.

        CKA(s, t) = |F_s^T F_t|^2 / (|F_s^T F_s| |F_t^T F_t|)

    with F centred. Differs from: there is no truncation there; here F is as in `r_squared`.
    """
    variance_CK, unit_CNK = _components(features_CNW)
    aligned_CC = variance_CK.new_empty(len(variance_CK), len(variance_CK))
    for s, agreement_TKK in _agreements(unit_CNK):
        aligned_T = torch.einsum("i,tij,tj->t", variance_CK[s], agreement_TKK, variance_CK[s:])
        aligned_CC[s, s:] = aligned_CC[s:, s] = aligned_T
    norm_C = variance_CK.square().sum(dim=1).sqrt()
    return _defined(aligned_CC / (norm_C[:, None] * norm_C).clamp_min(_tiny(norm_C)), variance_CK)


def rdm_correlation(features_CNW: Tensor) -> Tensor:
    """Rank correlation of representation dissimilarity matrices (Vandenhende et al., BMVC 2020, section 3.1), [C, C].

        RDM_c[i, j] = 1 - pearson(F_c[i], F_c[j]),     similarity(s, t) = spearman(RDM_s, RDM_t) over i < j

    on the first `RDM_ROWS` rows. A rotation of the channels may change it, since Pearson's correlation subtracts the
    mean over the channels. A row whose channels are all equal has correlation 0. Differs from the paper: its rows are
    whole images.
    """
    rows_CNW = features_CNW[:, :RDM_ROWS].double()
    rows_CNW = rows_CNW - rows_CNW.mean(dim=2, keepdim=True)
    rows_CNW = rows_CNW / rows_CNW.norm(dim=2, keepdim=True).clamp_min(_tiny(rows_CNW))
    first, second = torch.triu_indices(rows_CNW.shape[1], rows_CNW.shape[1], offset=1)
    # Rounded, so that pairs that differ only by rounding errors get equal ranks.
    pairs_CP = torch.stack([torch.round((rows @ rows.T)[first, second], decimals=10) for rows in rows_CNW])
    ranks_CP = torch.from_numpy(np.asarray(rankdata(pairs_CP.cpu().numpy(), axis=1))).to(rows_CNW)
    ranks_CP = ranks_CP - ranks_CP.mean(dim=1, keepdim=True)
    norm_C1 = ranks_CP.norm(dim=1, keepdim=True)
    ranks_CP = ranks_CP / norm_C1.clamp_min(_tiny(norm_C1))
    return _defined(ranks_CP @ ranks_CP.T, norm_C1)


MEASURES: dict[Measure, Callable[[Tensor], Tensor]] = {"r2": r_squared, "cka": linear_cka, "rdm": rdm_correlation}
"""By the name that a recipe uses."""


def dissimilarity(features_CNW: Tensor, measure: Measure) -> NDArray[np.float64]:
    """d(s, t) = 1 - (m(s, t) + m(t, s)) / 2 of a measure m, [C, C]; zero on the diagonal.

    Raises:
        InputError: features are not [C, N, W] with two rows at least, or not finite.
    """
    if features_CNW.dim() != 3 or features_CNW.shape[1] < 2:
        raise InputError(f"features must be [copies, rows, channels] of two rows; found {list(features_CNW.shape)}")
    if not bool(torch.isfinite(features_CNW).all()):
        raise InputError("features must be finite; found NaN or infinity")
    similar_CC = MEASURES[measure](features_CNW)
    unlike_CC: NDArray[np.float64] = (1.0 - (similar_CC + similar_CC.T) / 2.0).cpu().numpy()
    np.fill_diagonal(unlike_CC, 0.0)
    return unlike_CC


def _components(features_CNW: Tensor) -> tuple[Tensor, Tensor]:
    """Principal components of each copy.

    Returns:
        variances [C, K], descending, zero for components that are left out; and the components' scores as unit vectors,
        [C, N, K], zero for those that are left out.
    """
    centred_CNW = features_CNW.double()
    centred_CNW = centred_CNW - centred_CNW.mean(dim=1, keepdim=True)
    num_rows, width = centred_CNW.shape[1:]
    kept = max(1, min(width, num_rows // ROWS_PER_COMPONENT))
    variance_CW, axes_CWW = torch.linalg.eigh(centred_CNW.mT @ centred_CNW)
    variance_CK = variance_CW.flip(1)[:, :kept]
    # Centring rounds constant channels to about zero, in which every component would be a leading one.
    floor_C1 = _NEGLIGIBLE * torch.maximum(variance_CK[:, :1], features_CNW.double().square().sum((1, 2))[:, None])
    counts_CK = variance_CK > floor_C1
    variance_CK = torch.where(counts_CK, variance_CK, 0.0)
    scale_CK = torch.where(counts_CK, variance_CK, 1.0).rsqrt() * counts_CK
    return variance_CK, (centred_CNW @ axes_CWW.flip(2)[:, :, :kept]) * scale_CK[:, None, :]


def _agreements(unit_CNK: Tensor) -> Iterator[tuple[int, Tensor]]:
    """For each copy s, how far its components agree with those of the copies t >= s, (q_s,i . q_t,j)^2, [T, K, K].

    All pairs at once would take memory that grows with the square of the copies: 0.8 GB for 80 copies of 128 channels.
    """
    for s, unit_NK in enumerate(unit_CNK):
        yield s, (unit_NK.T @ unit_CNK[s:]).square()


def _total(variance_CK: Tensor) -> Tensor:
    return variance_CK.sum(dim=1).clamp_min(_tiny(variance_CK))


def _defined(similar_CC: Tensor, size_CX: Tensor) -> Tensor:
    """1 between two copies without any variance, which the formulas leave at 0."""
    constant_C = (size_CX == 0).all(dim=1)
    return torch.where(constant_C[:, None] & constant_C, 1.0, similar_CC)


def _tiny(like: Tensor) -> float:
    return torch.finfo(like.dtype).tiny
