"""From trees and their results to the numbers that the transfer model is fitted to."""

from collections import Counter
from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from nas.errors import InputError, in_one_line
from nas.strategies.transfer.evidence import Trainings, between_blocks
from nas.tree import BranchTree


def _runs(trees: Sequence[BranchTree], lengths: Sequence[float], searches: Sequence[int]) -> list[int]:
    """For each row, the number of its training: rows of one tree and search with different lengths are one training;
    equal rows are trainings with different seeds."""
    seen: Counter[tuple[BranchTree, float, int]] = Counter()
    runs: dict[tuple[BranchTree, int, int], int] = {}
    found = []
    for row in zip(trees, lengths, searches, strict=True):
        found.append(runs.setdefault((row[0], row[2], seen[row]), len(runs)))
        seen[row] += 1
    return found


def search_numbers(searches_N: Sequence[int] | None, count: int) -> Tensor:
    """The number of each training's search, [N]; all 0 without them. InputError unless there is one for each."""
    searches = torch.as_tensor([0] * count if searches_N is None else list(searches_N), dtype=torch.int64)
    if searches.shape != (count,):
        raise InputError(f"searches are {count} numbers, one for each training; found {len(searches)}")
    return searches


def log_lengths(lengths_N: Sequence[float] | None, count: int) -> Tensor:
    """log2 of the lengths, [N]; zeros, full length, without them. InputError unless they are shares in (0, 1]."""
    lengths = torch.as_tensor([1.0] * count if lengths_N is None else list(lengths_N), dtype=torch.float64)
    if lengths.shape != (count,) or not ((lengths > 0.0) & (lengths <= 1.0)).all():
        raise InputError(f"lengths are {count} shares in (0, 1]; found {lengths.tolist()}")
    return lengths.log2()


def advice_of(prior: ArrayLike | None, x_NTLT: Tensor) -> Tensor:
    """The dissimilarity, scaled so that x . d has a root mean square of 1 over the trees; zeros without one."""
    _, num_tasks, num_blocks, _ = x_NTLT.shape
    shape = (num_blocks, num_tasks, num_tasks)
    try:
        d_LTT = torch.as_tensor(torch.zeros(shape) if prior is None else prior, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"prior must be numbers of the shape {list(shape)} ({in_one_line(error)})") from error
    if d_LTT.shape != shape or not d_LTT.isfinite().all():
        raise InputError(f"prior must be finite numbers of the shape {list(shape)}; found {list(d_LTT.shape)}")
    size = torch.einsum("ntls,lts->nt", x_NTLT, d_LTT).square().mean().sqrt()
    return d_LTT / size if size > 0.0 else torch.zeros_like(d_LTT)


def checked_results(results_NT: ArrayLike, trees: Sequence[BranchTree], tasks: Sequence[str]) -> Tensor:
    """The results as a tensor, NaN where there is none; InputError if they do not fit the trees."""
    shape = [len(trees), len(tasks)]
    try:
        found_NT = torch.as_tensor(results_NT, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"results must be numbers of the shape {shape} ({in_one_line(error)})") from error
    if not trees or list(found_NT.shape) != shape:
        raise InputError(
            f"results of {len(trees)} trees and {len(tasks)} tasks have the shape {shape}; found {list(found_NT.shape)}"
        )
    known_NT = found_NT.isfinite()
    if silent := [name for name, known in zip(tasks, known_NT.any(0).tolist(), strict=True) if not known]:
        raise InputError(f"tasks {', '.join(silent)} have no finite result")
    lacking_NT = torch.tensor([[name not in tree.tasks for name in tasks] for tree in trees])
    if (wrong := (known_NT & lacking_NT).nonzero()).numel():
        n, t = wrong[0].tolist()
        raise InputError(f"results: tree {n} has no task {tasks[t]}, so its result must be NaN")
    return torch.where(known_NT, found_NT, torch.nan)


def scaled_results(results_NT: Tensor, log_length_N: Tensor, search_N: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Results around their mean at each length and search in units of their spread, [N, T]; the spread, [T], 1 where
    there is none; and the mean at the greatest length of the first search that has the task, [T]."""
    centred_NT, mean_T = results_NT.clone(), torch.full(results_NT.shape[1:], torch.nan, dtype=results_NT.dtype)
    # The last one that is seen stays: the greatest length of the first search.
    for search, length in sorted(set(zip((-search_N).tolist(), log_length_N.tolist(), strict=True))):
        rows = (log_length_N == length) & (search_N == -search)
        mean_at_length_T = results_NT[rows].nanmean(0)
        centred_NT[rows] -= mean_at_length_T
        mean_T = torch.where(mean_at_length_T.isfinite(), mean_at_length_T, mean_T)
    sd_T = centred_NT.square().nanmean(0).sqrt()
    # Constant results differ from their mean by rounding.
    sd_T = torch.where(sd_T > 1e-12 * results_NT.abs().nan_to_num().amax(0), sd_T, 1.0)
    return centred_NT / sd_T, sd_T, mean_T


def trainings_of(
    trees: Sequence[BranchTree],
    x_NTLT: Tensor,
    scaled_NT: Tensor,
    d_LTT: Tensor,
    log_length_N: Tensor,
    search_N: Tensor,
) -> Trainings:
    """What the evidence needs of trees, their features and their scaled results."""
    blocks_LL = between_blocks(x_NTLT.shape[2])
    x_TNLT, u_TNL = x_NTLT.transpose(0, 1), x_NTLT.sum(3).transpose(0, 1)
    same_N = torch.tensor(_runs(trees, log_length_N.tolist(), search_N.tolist()))
    pairs_TNN = torch.einsum("tnls,lk->tnks", x_TNLT, blocks_LL).flatten(2) @ x_TNLT.flatten(2).transpose(1, 2)
    return Trainings(
        scaled_NT,
        pairs_TNN,
        u_TNL @ blocks_LL @ u_TNL.transpose(1, 2),
        torch.einsum("tnls,lts->tn", x_TNLT, d_LTT),
        log_length_N,
        search_N,
        same_N[:, None] == same_N,
    )
