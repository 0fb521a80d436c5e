"""The expected number of groups and the expected cost of a random tree: differentiable, and exact where feasible."""

import math
from typing import Literal

import torch
from torch import Tensor

from nas.errors import InputError
from nas.tree import CostTable

EXACT_LIMIT = 2**23
"""Array elements that an exact form may make: up to 0.3 s and 0.4 GB, forward and backward, on one core."""

NUM_SAMPLES = 4096
"""Paths that the sampled form draws."""

ROW_SUM_TOLERANCE = 1e-4
"""How far a row of probabilities may be from 1: a softmax in single precision is within 1e-6."""

Form = Literal["subsets", "paths", "sampling"]


def expected_cost(
    probs_LTC: Tensor, table: CostTable, resource: str, *, generator: torch.Generator | None = None
) -> Tensor:
    """Expected cost of the tree when task t picks candidate c of block l with probability ``probs_LTC[l, t, c]``.

        E[cost] = cost(stem) + sum_l cost_l E[N_l] + sum_t cost(head_t)

    Args:
        probs_LTC: probabilities, independent over blocks and tasks, [L, T, C].
        table: costs of L blocks and T heads.
        resource: one of the table's resources.
        generator: as in `expected_groups`.

    Returns:
        a scalar in double precision, in the resource's unit; equal to the built tree's cost at one-hot probabilities.

    Raises:
        InputError: as in `expected_groups`, or the table is of other blocks, tasks or resources.
    """
    if probs_LTC.shape[:2] != (len(table.blocks), len(table.heads)):
        raise InputError(
            f"probabilities of shape {list(probs_LTC.shape)} do not match a cost table of {len(table.blocks)} blocks "
            f"and {len(table.heads)} tasks"
        )
    return cost_of_groups(expected_groups(probs_LTC, generator=generator), table, resource)


def cost_of_groups(groups_L: Tensor, table: CostTable, resource: str) -> Tensor:
    """cost(stem) + sum_l cost_l N_l + sum_t cost(head_t) for numbers of groups N_l, which may be expectations."""
    if resource not in table.resources:
        raise InputError(f"resource must be one of {list(table.resources)}; found {resource!r}")
    cost_L = torch.tensor([block[resource] for block in table.blocks], dtype=torch.float64, device=groups_L.device)
    return table.stem[resource] + cost_L @ groups_L + sum(head[resource] for head in table.heads.values())


def expected_groups(probs_LTC: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Expected number of groups at each block, E[N_l], computed by one of two exact forms or by sampling.

    Tasks are in one group at block l iff they picked the same candidate at every block up to l, so N_l counts the
    different paths of l + 1 candidates. The form that makes the smaller number of array elements is used; if both
    exact ones make more than `EXACT_LIMIT`, the sampled one: 12 tasks, 12 candidates and 18 blocks go by subsets,
    40 tasks, 5 candidates and 6 blocks by paths, 40 tasks, 40 candidates and 18 blocks by sampling.

    Args:
        probs_LTC: probabilities, independent over blocks and tasks, [L, T, C]; rows sum to 1 within
            `ROW_SUM_TOLERANCE`.
        generator: random numbers of the sampled form. By default every call starts from the same seed; the result is
            then deterministic, but its error does not average out over calls.

    Returns:
        E[N_l] in double precision, differentiable, [L].

    Raises:
        InputError: not three-dimensional, empty, negative, not finite, or rows that do not sum to 1.

    Differs from: the recursion in BMTAS's published code, which is not this expectation for three tasks or more.
    """
    check_probabilities(probs_LTC)
    probs_LTC = probs_LTC.double()
    match choose_form(*probs_LTC.shape):
        case "subsets":
            return groups_by_subsets(probs_LTC)
        case "paths":
            return groups_by_paths(probs_LTC)
        case "sampling":
            generator = torch.Generator().manual_seed(0) if generator is None else generator
            return groups_by_sampling(probs_LTC, NUM_SAMPLES, generator)


def choose_form(num_blocks: int, num_tasks: int, num_candidates: int) -> Form:
    """The exact form that makes fewer array elements, or sampling if both make more than `EXACT_LIMIT`."""
    elements = count_elements(num_blocks, num_tasks, num_candidates)
    fewest = min(elements, key=elements.__getitem__)
    return fewest if elements[fewest] <= EXACT_LIMIT else "sampling"


def count_elements(num_blocks: int, num_tasks: int, num_candidates: int) -> dict[Form, int]:
    """Array elements that each exact form makes: L 2^T, and T (C + ... + C^L)."""
    return {
        "subsets": num_blocks * 2**num_tasks,
        "paths": num_tasks * sum(num_candidates**l for l in range(1, num_blocks + 1)),
    }


def groups_by_subsets(probs_LTC: Tensor) -> Tensor:
    """E[N_l] = sum over non-empty sets S of tasks (-1)^(|S|+1)  prod_{m<=l} sum_c prod_{t in S} p_m(t, c).

    A set of k tasks that stay together contributes sum_{S subset of it} (-1)^(|S|+1) = 1. The sets are pairs of a
    set of the first T/2 tasks and one of the others, so that the sum over candidates is a matrix product and no
    array has more than L 2^T elements.
    """
    half = probs_LTC.shape[1] // 2
    first_LSC, first_sign_S = _products_over_sets(probs_LTC[:, :half])
    other_LSC, other_sign_S = _products_over_sets(probs_LTC[:, half:])
    # The empty set comes first and must go before the products over blocks: its C^l would drown the others.
    together_LS = (first_LSC @ other_LSC.transpose(1, 2)).flatten(1)[:, 1:]
    sign_S = -torch.outer(first_sign_S, other_sign_S).flatten()[1:]
    # Not torch.cumprod: its gradient divides, or takes a slow road, at zeros, and one-hot routing is full of zeros.
    together_S, *further = together_LS.unbind()
    groups = [together_S @ sign_S]
    for block_S in further:
        together_S = together_S * block_S
        groups.append(together_S @ sign_S)
    return torch.stack(groups)


def _products_over_sets(probs_LTC: Tensor) -> tuple[Tensor, Tensor]:
    """prod_{t in S} p(t, c) for all 2^T sets S, the empty one first, [L, 2^T, C]; and (-1)^|S|, [2^T]."""
    num_blocks, num_tasks, num_candidates = probs_LTC.shape
    product_LSC = probs_LTC.new_ones(num_blocks, 1, num_candidates)
    sign_S = probs_LTC.new_ones(1)
    for t in range(num_tasks):
        product_LSC = torch.cat([product_LSC, product_LSC * probs_LTC[:, t : t + 1]], dim=1)
        sign_S = torch.cat([sign_S, -sign_S])
    return product_LSC, sign_S


def groups_by_paths(probs_LTC: Tensor) -> Tensor:
    """E[N_l] = sum over the paths pi up to l [1 - prod_t (1 - r_t(pi))],  r_t(pi) = prod_{m<=l} p_m(t, pi_m)."""
    reach_TP, *further = probs_LTC.unbind()
    groups = [union(reach_TP).sum()]
    for probs_TC in further:
        reach_TP = (reach_TP[:, :, None] * probs_TC[:, None, :]).flatten(1)
        groups.append(union(reach_TP).sum())
    return torch.stack(groups)


def groups_by_sampling(probs_LTC: Tensor, num_samples: int, generator: torch.Generator) -> Tensor:
    """An estimate of the sum over paths, from paths that the tasks themselves take; value and gradient are unbiased.

        E[N_l] = T - mean over pi ~ q of  [sum_t r_t(pi) - u(pi)] / q(pi)
        u = 1 - prod_t (1 - r_t),   q = (1/T) sum_t r_t, detached

    Importance sampling from the mixture q of the tasks' own paths, stratified: num_samples / T paths (rounded up) of
    each task, whose first l + 1 steps serve block l. Each weight is between 0 and T - 1, since
    max_t r_t <= u <= sum_t r_t, so the standard error of a value is at most (T - 1) / (2 sqrt(num_samples)). At
    one-hot routing the path of a group of k tasks weighs T (k - 1) / k whenever it is drawn, and the estimate is exact.

    The gradient is that of the bracket alone. It has no bias wherever all probabilities are positive; of a candidate
    with probability zero it sees nothing, and a softmax passes nothing to that one either. The plain mean of u / q has
    the same value, but also estimates the gradient of sum_t r_t, which sums to T over all paths: its zero would
    cost twenty times the error.

    `tools/bench_expected_cost.py` measures bias and error of value and gradient; runs/LOG.md has the numbers.

    Differs from: a straight-through estimate, which costs the tree of one sampled routing and passes the gradient
    through the soft routing; that gradient is biased.
    """
    num_blocks, num_tasks, num_candidates = probs_LTC.shape
    per_task = math.ceil(num_samples / num_tasks)
    own_RC = probs_LTC.detach().to(generator.device).reshape(num_blocks * num_tasks, num_candidates)
    drawn_RN = torch.multinomial(own_RC, per_task, replacement=True, generator=generator)
    path_LP = drawn_RN.reshape(num_blocks, num_tasks * per_task).to(probs_LTC.device)
    reach_TP = probs_LTC.new_ones(num_tasks, path_LP.shape[1])
    groups = []
    for probs_TC, path_P in zip(probs_LTC.unbind(), path_LP, strict=True):
        reach_TP = reach_TP * probs_TC[:, path_P]
        mixture_P = reach_TP.detach().mean(dim=0)
        groups.append(num_tasks - ((reach_TP.sum(dim=0) - union(reach_TP)) / mixture_P).mean())
    return torch.stack(groups)


def union(prob_TP: Tensor) -> Tensor:
    """1 - prod_t (1 - p_t) by pairs, a + b (1 - a): no cancellation when all are small, no zeros to divide by."""
    while len(prob_TP) > 1:
        half = len(prob_TP) // 2
        first_TP, other_TP, rest_TP = prob_TP[:half], prob_TP[half : 2 * half], prob_TP[2 * half :]
        prob_TP = torch.cat([first_TP + other_TP * (1.0 - first_TP), rest_TP])
    return prob_TP[0]


def check_probabilities(probs_LTC: Tensor) -> None:
    """InputError unless these are probabilities of candidates, [L, T, C], whose rows sum to 1."""
    if probs_LTC.dim() != 3 or probs_LTC.numel() == 0:
        raise InputError(
            f"probabilities must be a non-empty array [blocks, tasks, candidates]; found shape {list(probs_LTC.shape)}"
        )
    if not probs_LTC.is_floating_point():
        raise InputError(f"probabilities must be floating-point numbers; found {probs_LTC.dtype}")
    probs_LTC = probs_LTC.detach()
    if not bool(torch.isfinite(probs_LTC).all()):
        raise InputError("probabilities must be finite; found NaN or infinity")
    if (smallest := probs_LTC.min().item()) < 0.0:
        raise InputError(f"probabilities must not be negative; found {smallest}")
    sum_LT = probs_LTC.double().sum(dim=-1)
    if (error := (sum_LT - 1.0).abs().max().item()) > ROW_SUM_TOLERANCE:
        raise InputError(
            f"the probabilities of a task's candidates at a block must sum to 1 within {ROW_SUM_TOLERANCE}; "
            f"found a sum that is off by {error:.3g} (apply softmax over the last axis)"
        )
