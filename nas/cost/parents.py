"""The expected cost of a random tree whose nodes and tasks pick their parents (`nas.tree.parents`)."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from nas.cost.expected import check_probabilities, cost_of_groups, union
from nas.errors import InputError
from nas.tree import CostTable

EXACT_LIMIT = 2**21
"""Array elements that the exact form may make: up to 0.2 s, forward and backward, on one core."""

NUM_SAMPLES = 64
"""Choices that the sampled form draws: for 40 tasks a block's number of nodes was then off by 3 % (standard error)."""


def expected_parent_cost(
    probs: Sequence[Tensor], table: CostTable, resource: str, *, generator: torch.Generator | None = None
) -> Tensor:
    """Expected cost of the tree if reader k of block l reads node j of it with probability ``probs[l][k, j]``.

        E[cost] = cost(stem) + sum_l cost_l E[N_l] + sum_t cost(head_t)

    Args:
        probs: probabilities, independent over blocks and readers: L tensors [readers, nodes].
        table: costs of L blocks and T heads.
        resource: one of the table's resources.
        generator: as in `expected_nodes`.

    Returns:
        a scalar in double precision, in the resource's unit; equal to the built tree's cost at one-hot probabilities.

    Raises:
        InputError: as in `expected_nodes`, or the table is of other blocks, tasks or resources.
    """
    if len(probs) != len(table.blocks) or len(probs[-1]) != len(table.heads):
        found = f"{len(probs)} blocks and {len(probs[-1]) if probs else 0} tasks"
        raise InputError(
            f"probabilities of {found} do not match a cost table of {len(table.blocks)} blocks and "
            f"{len(table.heads)} tasks"
        )
    return cost_of_groups(expected_nodes(probs, generator=generator), table, resource)


def expected_nodes(probs: Sequence[Tensor], *, generator: torch.Generator | None = None) -> Tensor:
    """Expected number of active nodes of each block, E[N_l]. A node is active if a task descends from it.

    Active nodes are the groups of the tree. The exact form makes an array of sets for each pair of neighbouring blocks
    (`count_elements`). If these have more than `EXACT_LIMIT` elements, the sampled form is used: three
    blocks of ten nodes are exact, three blocks of eleven are sampled, and so are the {3, 3, 5, 5, 10, 20, 30, 40} nodes
    of Learning to Branch. The number of tasks hardly matters.

    Args:
        probs: L tensors [readers, nodes]; rows sum to 1. The readers of a block are the nodes of the next one, and
            those of the last block are the tasks.
        generator: random numbers of the sampled form. By default every call starts from the same seed; the result is
            then deterministic, but its error does not average out over calls.

    Returns:
        E[N_l] in double precision, differentiable, [L].

    Raises:
        InputError: a tensor is not of probabilities, or a block has other readers than the next one has nodes.
    """
    for l, probs_KJ in enumerate(probs):
        check_probabilities(probs_KJ[None])
        if l > 0 and len(probs[l - 1]) != probs_KJ.shape[1]:
            raise InputError(
                f"block {l} has {probs_KJ.shape[1]} nodes, but block {l - 1} has {len(probs[l - 1])} readers"
            )
    doubles = [probs_KJ.double() for probs_KJ in probs]
    if choose_form([probs_KJ.shape[1] for probs_KJ in probs]) == "sets":
        return nodes_by_sets(doubles)
    return nodes_by_sampling(doubles, NUM_SAMPLES, generator or torch.Generator().manual_seed(0))


def choose_form(nodes: Sequence[int]) -> Literal["sets", "sampling"]:
    """The exact form, or sampling if it makes more than `EXACT_LIMIT` array elements."""
    return "sets" if count_elements(nodes) <= EXACT_LIMIT else "sampling"


def count_elements(nodes: Sequence[int]) -> int:
    """Array elements that the exact form makes: J_0 2^J_1 + sum_{l>=1} 2^(J_l + J_{l+1}), and 2^J of the last block."""
    first = nodes[0] * 2 ** nodes[1] if len(nodes) > 1 else 0
    return int(first + sum(2 ** (a + b) for a, b in pairwise(nodes[1:])) + 2 ** nodes[-1])


def nodes_by_sets(probs: Sequence[Tensor]) -> Tensor:
    """E[N_l] from F_l(S), the probability that all active nodes of block l are in the set S of its nodes.

        E[N_l] = sum_j 1 - F_l(all nodes but j)
        F_{L-1}(S) = prod_t c_t(S),    c_k(S) = sum_{j in S} p(k, j)
        F_l(S) = sum over sets U of readers   F_{l+1}(U) prod_{k in U} c_k(S) prod_{k not in U} (1 - c_k(S))

    since the active nodes of block l are in S iff the active ones of block l + 1 are in the set U of the readers whose
    parents are in S, and U does not depend on the choices of later readers. All terms are positive, so nothing cancels.
    The sum over U is taken reader by reader, which halves the array each time.
    """
    inside_SX: Tensor | None = None
    found = []
    for l in range(len(probs) - 1, -1, -1):
        probs_KJ = probs[l]
        num_nodes = probs_KJ.shape[1]
        but_one_SJ = 1.0 - torch.eye(num_nodes, dtype=probs_KJ.dtype, device=probs_KJ.device)
        # The first block needs the sets of its own sum only, since no block comes before it.
        sets_SJ = _all_sets(num_nodes, but_one_SJ) if l > 0 else but_one_SJ
        in_KS, out_KS = probs_KJ @ sets_SJ.T, probs_KJ @ (1.0 - sets_SJ).T
        inside_S = _product(in_KS) if inside_SX is None else _over_readers(inside_SX, in_KS, out_KS)
        number = 2**num_nodes - 1 - 2 ** torch.arange(num_nodes, device=probs_KJ.device)
        found.append((1.0 - (inside_S[number] if l > 0 else inside_S)).sum())
        inside_SX = inside_S[:, None]
    return torch.stack(found[::-1])


def _over_readers(inside_UX: Tensor, in_KS: Tensor, out_KS: Tensor) -> Tensor:
    """F_l for each set S of nodes of block l, from F_{l+1} for each set U of its readers, [2^K, 1]."""
    for k in range(len(in_KS) - 1, -1, -1):
        without, within = inside_UX[: 2**k], inside_UX[2**k :]
        inside_UX = out_KS[k] * without + in_KS[k] * within
    return inside_UX[0]


def _all_sets(num_nodes: int, like: Tensor) -> Tensor:
    """The 2^J sets of nodes, as rows of zeros and ones; node j is in set s if bit j of s is 1."""
    number_S, node_J = (torch.arange(n, device=like.device) for n in (2**num_nodes, num_nodes))
    return ((number_S[:, None] >> node_J) & 1).to(like)


def _product(factor_TS: Tensor) -> Tensor:
    """The product over the first dimension, by pairs: torch.prod's gradient takes a slow road at zeros."""
    while len(factor_TS) > 1:
        half = len(factor_TS) // 2
        factor_TS = torch.cat([factor_TS[:half] * factor_TS[half : 2 * half], factor_TS[2 * half :]])
    return factor_TS[0]


def nodes_by_sampling(probs: Sequence[Tensor], num_samples: int, generator: torch.Generator) -> Tensor:
    """An estimate of E[N_m] from sampled choices; one block's choices at a time are replaced by their expectation.

        E[N_m | all choices but those of the readers of block l] = sum_h 1 - prod_{k active} (1 - q_k(h))
        q_k(h) = sum over nodes i of block l that descend from node h of block m   p_l(k, i)

    The value is the mean over the samples and over l = m, ..., L-1. The gradient is the sum over l of each term's
    gradient with respect to ``probs[l]``. Both are unbiased, since the choices are independent and the expectation
    over one block's is exact. At one-hot probabilities both are exact.

    Differs from: a straight-through estimate, which passes the gradient of one sampled number of nodes through the
    sampled choices. It is biased, because the number of nodes of an early block is not linear in the choices of a
    later reader.
    """
    choices = [_draw(probs_KJ, num_samples, generator) for probs_KJ in probs]
    active = _active(choices, [probs_KJ.shape[1] for probs_KJ in probs])
    found = []
    for m in range(len(probs)):
        num_nodes = probs[m].shape[1]
        ancestor_MJ = torch.arange(num_nodes, device=probs[m].device).expand(num_samples, -1)
        terms = []
        for l in range(m, len(probs)):
            descends_MJH = torch.nn.functional.one_hot(ancestor_MJ, num_nodes).to(probs[l])
            reach_KMH = (probs[l] @ descends_MJH).transpose(0, 1) * active[l].T[:, :, None]
            terms.append(union(reach_KMH).sum(dim=-1).mean())
            ancestor_MJ = ancestor_MJ.gather(1, choices[l])
        total = torch.stack(terms)
        found.append(total.sum() + (total.mean() - total.sum()).detach())
    return torch.stack(found)


def _draw(probs_KJ: Tensor, num_samples: int, generator: torch.Generator) -> Tensor:
    """The node that each reader reads, [samples, K]."""
    own_KJ = probs_KJ.detach().to(generator.device)
    drawn_KM = torch.multinomial(own_KJ, num_samples, replacement=True, generator=generator)
    return drawn_KM.T.to(probs_KJ.device)


def _active(choices: Sequence[Tensor], nodes: Sequence[int]) -> list[Tensor]:
    """Whether each reader of each block is active: L tensors [samples, readers] of zeros and ones."""
    found = [torch.ones_like(choices[-1], dtype=torch.float64)]
    for chosen_MK, num_nodes in zip(choices[:0:-1], nodes[:0:-1], strict=True):
        active_MJ = found[-1].new_zeros(len(chosen_MK), num_nodes)
        found.append(active_MJ.scatter_reduce(1, chosen_MK, found[-1], "amax"))
    return found[::-1]
