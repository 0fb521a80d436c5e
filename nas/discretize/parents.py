"""From logits of parents (`nas.tree.parents`) to dissimilarities, and to the arg-max tree."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nas.discretize.dissimilarity import check_logits
from nas.discretize.lattice import Floats
from nas.errors import InputError
from nas.tree import BranchTree, tree_from_parents


def ancestor_agreement(logits: Sequence[Tensor]) -> Floats:
    """The probability that two tasks have the same ancestor at each block, if all readers choose independently.

    The joint distribution P_l(i, j) of the ancestors of two tasks at block l follows from that at block l + 1. At the
    last block the two tasks choose, so P(i, j) = p(s, i) p(t, j). A node that both descend from chooses once, two
    different nodes choose independently:

        P_l(i, j) = sum_{a != b} P_{l+1}(a, b) p_l(a, i) p_l(b, j)  +  [i = j] sum_a P_{l+1}(a, a) p_l(a, i)

    Args:
        logits: L tensors [readers, nodes]; the readers of the last block are the T tasks.

    Returns:
        sum_i P_l(i, i), in double precision, one on the diagonal, [L, T, T].

    Raises:
        InputError: logits are not finite.
    """
    _check(logits)
    probs = [torch.softmax(logits_KJ.detach().cpu().double(), dim=-1).numpy() for logits_KJ in logits]
    joint_STIJ = np.einsum("si,tj->stij", probs[-1], probs[-1])
    found = [np.einsum("stii->st", joint_STIJ)]
    for probs_KJ in reversed(probs[:-1]):
        same_STA = np.einsum("staa->sta", joint_STIJ).copy()
        np.einsum("staa->sta", joint_STIJ)[...] = 0.0
        joint_STIJ = probs_KJ.T @ joint_STIJ @ probs_KJ
        np.einsum("stii->sti", joint_STIJ)[...] += same_STA @ probs_KJ
        found.append(np.einsum("stii->st", joint_STIJ))
    agreement_LTT: Floats = np.stack(found[::-1])
    agreement_LTT[:, np.eye(agreement_LTT.shape[1], dtype=bool)] = 1.0
    return agreement_LTT


def dissimilarity_from_parents(logits: Sequence[Tensor]) -> Floats:
    """How much less often two tasks share a block than by chance at that block.

        A_l(s, t)                                            they share block l (`ancestor_agreement`)
        d_l(s, t) = (1 - A_l) - (1 - A_{l+1}) (1 - 1/J_l),   A_L = 0

    1 - A_l is the dissimilarity without a noise floor. The floor is its value if the readers of block l, with J_l
    nodes, choose at random: tasks that share block l + 1 share block l in any case, and others share it with
    probability 1/J_l. Without the floor d >= 0, and separate tasks, with the value 0, would always win. With it, d < 0
    if different readers of a pair meet at the block more often than by chance. Uniform logits give 0 everywhere, and
    the cheapest tree wins the tie.

    Differs from: `dissimilarity_from_logits`, whose tasks choose at every block, from the first to the last.

    Args:
        logits: as in `ancestor_agreement`.

    Returns:
        d in double precision, symmetric, zero on the diagonal, [L, T, T]; within [-(1 - 1/J_l), 1/J_l].

    Raises:
        InputError: logits are not finite.
    """
    agreement_LTT = ancestor_agreement(logits)
    later_LTT = np.concatenate([agreement_LTT[1:], np.zeros_like(agreement_LTT[:1])])
    apart_L = np.array([1.0 - 1.0 / logits_KJ.shape[1] for logits_KJ in logits])
    # Rounded, so that values which differ from 0 only by the rounding of the softmax become ties.
    dissimilarity_LTT: Floats = np.round((1.0 - agreement_LTT) - (1.0 - later_LTT) * apart_L[:, None, None], 12)
    off_diagonal_LTT: Floats = dissimilarity_LTT * ~np.eye(agreement_LTT.shape[1], dtype=bool) + 0.0
    return off_diagonal_LTT


def argmax_parents_tree(tasks: Sequence[str], logits: Sequence[Tensor]) -> BranchTree:
    """The tree of the most probable parents, the rule of Learning to Branch, which cannot keep a budget.

    Nodes that no task descends from are dropped. Of equal logits the first one is taken.

    Raises:
        InputError: logits are not finite, or not of T tasks.
    """
    _check(logits)
    return tree_from_parents(tasks, [logits_KJ.argmax(dim=-1).tolist() for logits_KJ in logits])


def count_changed_parents(before: Sequence[Tensor], after: Sequence[Tensor]) -> int:
    """How many readers have another most probable parent."""
    return sum(int((b.argmax(dim=-1) != a.argmax(dim=-1)).sum()) for b, a in zip(before, after, strict=True))


def _check(logits: Sequence[Tensor]) -> None:
    for l, logits_KJ in enumerate(logits):
        check_logits(logits_KJ[None])
        if l > 0 and len(logits[l - 1]) != logits_KJ.shape[1]:
            raise InputError(
                f"block {l} has {logits_KJ.shape[1]} nodes, but block {l - 1} has {len(logits[l - 1])} readers"
            )
