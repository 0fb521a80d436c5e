"""How large the errors of the transfer model are: corrections of its standard deviations by left-out results."""

import torch
from torch import Tensor

_FITTED = 3.0
"""Parameters per task that the scales amount to: its own two, and a share of the others. With 3, intervals of 90 % hold
81 to 91 % of the results of held-out planted trees, problem by problem (runs/LOG.md)."""

_POOLED = 6.0
"""How many results the pooled size of the errors counts as, beside a task's own."""


def root(covariance_TDD: Tensor) -> Tensor:
    """The symmetric square root of covariances."""
    values_TD, vectors_TDD = torch.linalg.eigh(covariance_TDD)
    found_TDD: Tensor = (vectors_TDD * values_TD.clamp(min=0.0).sqrt()[:, None, :]) @ vectors_TDD.transpose(1, 2)
    return found_TDD


def widening(residuals_NT: Tensor) -> Tensor:
    """The factor, [T], by which standard deviations are too small, since the scales are fitted to the same results.

    As in a regression with N results and `_FITTED` parameters, the variance is the mean square of the (leave-one-out)
    errors times N / (N - `_FITTED`). Each task's mean square is pooled with that of all tasks, which counts as
    `_POOLED` results.
    """
    square_NT = residuals_NT.square()
    count_T = residuals_NT.isfinite().sum(0)
    own_T = (square_NT.nansum(0) + _POOLED * square_NT.nanmean()) / (count_T + _POOLED)
    return (own_T * count_T / (count_T - _FITTED).clamp(min=1.0)).clamp(min=1.0).sqrt()


def correlation_of(residuals_NT: Tensor) -> float:
    """The mean correlation of the errors of two tasks, over the trees that have both; 0 to 0.95."""
    known_NT = residuals_NT.isfinite()
    error_NT = torch.where(known_NT, residuals_NT, 0.0)
    both_TT = known_NT.T.double() @ known_NT.double()
    off_TT = ~torch.eye(len(both_TT), dtype=torch.bool) & (both_TT > 1)
    if not off_TT.any():
        return 0.0
    square_TT = error_NT.square().T @ known_NT.double()
    correlation_TT = (error_NT.T @ error_NT) / (square_TT * square_TT.T).sqrt().clamp(min=1e-12)
    return float(correlation_TT[off_TT].mean().clamp(0.0, 0.95))
