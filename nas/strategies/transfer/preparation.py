"""From trees and their results to the numbers that the transfer model is fitted to."""

from collections import Counter
from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from nas.errors import InputError
from nas.strategies.transfer.evidence import Trainings, between_blocks
from nas.tree import BranchTree


def _runs(trees: Sequence[BranchTree], lengths: Sequence[float]) -> list[int]:
    """For each row, the number of its training: rows of one tree with different lengths are one training; equal rows
    are trainings with different seeds."""
    seen: Counter[tuple[BranchTree, float]] = Counter()
    runs: dict[tuple[BranchTree, int], int] = {}
    found = []
    for row in zip(trees, lengths, strict=True):
        found.append(runs.setdefault((row[0], seen[row]), len(runs)))
        seen[row] += 1
    return found


def log_lengths(lengths_N: Sequence[float] | None, count: int) -> Tensor:
    lengths = torch.as_tensor([1.0] * count if lengths_N is None else list(lengths_N), dtype=torch.float64)
    if lengths.shape != (count,) or not ((lengths > 0.0) & (lengths <= 1.0)).all():
        raise InputError(f"lengths are {count} shares in (0, 1]; found {lengths.tolist()}")
    return lengths.log2()


def advice_of(prior: ArrayLike | None, x_NTLT: Tensor) -> Tensor:
    """The dissimilarity, scaled so that x . d has a root mean square of 1 over the trees; zeros without one."""
    _, num_tasks, num_blocks, _ = x_NTLT.shape
    shape = (num_blocks, num_tasks, num_tasks)
    d_LTT = torch.zeros(shape, dtype=torch.float64) if prior is None else torch.tensor(prior, dtype=torch.float64)
    if d_LTT.shape != shape or not d_LTT.isfinite().all():
        raise InputError(f"prior must be finite numbers of the shape {list(shape)}; found {list(d_LTT.shape)}")
    size = torch.einsum("ntls,lts->nt", x_NTLT, d_LTT).square().mean().sqrt()
    return d_LTT / size if size > 0.0 else torch.zeros_like(d_LTT)


def spread_of(results_NT: Tensor, log_length_N: Tensor) -> Tensor:
    """The standard deviation of each task's results around their mean at each length; 1 where there is none."""
    centred = results_NT.clone()
    for length in set(log_length_N.tolist()):
        rows = log_length_N == length
        centred[rows] -= centred[rows].nanmean(0)
    sd_T = centred.square().nanmean(0).sqrt()
    return torch.where(sd_T > 0.0, sd_T, 1.0)


def trainings_of(
    trees: Sequence[BranchTree], x_NTLT: Tensor, scaled_NT: Tensor, d_LTT: Tensor, log_length_N: Tensor
) -> Trainings:
    blocks_LL = between_blocks(x_NTLT.shape[2])
    x_TNLT, u_TNL = x_NTLT.transpose(0, 1), x_NTLT.sum(3).transpose(0, 1)
    same_N = torch.tensor(_runs(trees, log_length_N.tolist()))
    pairs_TNN = torch.einsum("tnls,lk->tnks", x_TNLT, blocks_LL).flatten(2) @ x_TNLT.flatten(2).transpose(1, 2)
    return Trainings(
        scaled_NT,
        pairs_TNN,
        u_TNL @ blocks_LL @ u_TNL.transpose(1, 2),
        torch.einsum("tnls,lts->tn", x_TNLT, d_LTT),
        log_length_N,
        same_N[:, None] == same_N,
    )
