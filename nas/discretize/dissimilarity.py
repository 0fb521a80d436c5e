"""Dissimilarities of tasks at blocks, from the logits of a search."""

import numpy as np
import torch
from torch import Tensor

from nas.discretize.lattice import Floats
from nas.errors import InputError


def dissimilarity_from_logits(logits_LTC: Tensor) -> Floats:
    """How much less often two tasks share a block than chance at that block would have it, when both pick at random.

        a_l(s, t) = sum_c p_l(s, c) p_l(t, c)              they agree at block l
        A_l(s, t) = prod_{m<=l} a_m(s, t)                  they share block l
        d_l(s, t) = (1 - A_l) - (1 - A_{l-1} / C) = A_{l-1} (1/C - a_l),    A_{-1} = 1

    1 - A_l is the dissimilarity. The noise floor 1 - A_{l-1} / C is what it would be if the logits of block l had
    learned nothing, so that each task picked among C candidates alike. Without a floor d >= 0, and separate tasks,
    which score 0, would always win. With it a pair attracts where it agrees more often than by chance and repels
    where it agrees less often, each in proportion to how sure it is to be together still; uniform logits give 0
    everywhere, so that the cheapest tree wins the tie.

    The floor must be that of the block alone. Against logits that have learned nothing at *any* block, 1 - C^-(l+1), a
    pair that has agreed so far attracts whatever block l says: with p = 0.99 for the arg-max at C = 5, a pair that
    agrees at blocks 0 to 3 and parts at block 4 shares that block with probability 0.005, still far above 5^-5, and the
    split would be lost. Here it repels with 0.18.

    Args:
        logits_LTC: [L, T, C].

    Returns:
        d in double precision, symmetric, zero on the diagonal, [L, T, T]; within [-(1 - 1/C), 1/C].

    Raises:
        InputError: not three-dimensional, empty, or not finite.

    Differs from: DESIGN.md, section 3, only by the noise floor, which it leaves open for logits.
    """
    check_logits(logits_LTC)
    num_candidates = logits_LTC.shape[-1]
    probs_LTC = torch.softmax(logits_LTC.detach().cpu().double(), dim=-1)
    agree_LTT = (probs_LTC @ probs_LTC.transpose(1, 2)).numpy()
    together_LTT = np.concatenate([np.ones_like(agree_LTT[:1]), np.cumprod(agree_LTT, axis=0)[:-1]])
    # Rounded, so that what is 0 but for the softmax's last bits is a tie.
    dissimilarity_LTT = np.round(together_LTT * (1.0 / num_candidates - agree_LTT), 12)
    return dissimilarity_LTT * ~np.eye(logits_LTC.shape[1], dtype=bool) + 0.0


def check_logits(logits_LTC: Tensor) -> None:
    """InputError unless logits are finite and [L, T, C]: the arg-max of NaN is candidate 0 and looks like sharing."""
    if logits_LTC.dim() != 3 or logits_LTC.numel() == 0:
        raise InputError(
            f"logits must be a non-empty array [blocks, tasks, candidates]; found shape {list(logits_LTC.shape)}"
        )
    if not bool(torch.isfinite(logits_LTC).all()):
        block = int((~torch.isfinite(logits_LTC)).flatten(1).any(dim=1).int().argmax())
        raise InputError(f"logits must be finite; found NaN or infinity at block {block}")
