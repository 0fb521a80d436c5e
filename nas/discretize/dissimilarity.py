"""Dissimilarities of tasks at blocks, from the logits of a search."""

import numpy as np
import torch
from torch import Tensor

from nas.discretize.lattice import Floats
from nas.errors import InputError


def dissimilarity_from_logits(logits_LTC: Tensor) -> Floats:
    """How much less often two tasks share a block than by chance at that block, if tasks pick candidates at random.

        a_l(s, t) = sum_c p_l(s, c) p_l(t, c)              they agree at block l
        A_l(s, t) = prod_{m<=l} a_m(s, t)                  they share block l
        d_l(s, t) = (1 - A_l) - (1 - A_{l-1} / C) = A_{l-1} (1/C - a_l),    A_{-1} = 1

    1 - A_l is the dissimilarity without a noise floor. The floor 1 - A_{l-1} / C is its value if the logits of block l
    are uniform, so that each task picks any of C candidates. Without the floor d >= 0, and separate tasks, with the
    value 0, would always win. With the floor, d < 0 if a pair agrees at the block more often than by chance, and d > 0
    if less often; both are scaled by the probability A_{l-1} that the pair still is together. Uniform logits give 0
    everywhere, and the cheapest tree wins the tie.

    The floor must refer to block l alone. With the floor 1 - C^-(l+1) for uniform logits at *all* blocks, a pair that
    has agreed so far would have d < 0 whatever block l says. Example: C = 5, and arg-max choices of probability 0.99
    that agree at blocks 0 to 3 and differ at block 4. The pair shares block 4 with probability 0.005, which is far
    above 5^-5, so the split would be lost. Here d = 0.18, and the pair splits.

    Args:
        logits_LTC: [L, T, C].

    Returns:
        d in double precision, symmetric, zero on the diagonal, [L, T, T]; within [-(1 - 1/C), 1/C].

    Raises:
        InputError: the logits are not three-dimensional, empty, or not finite.
    """
    check_logits(logits_LTC)
    num_candidates = logits_LTC.shape[-1]
    probs_LTC = torch.softmax(logits_LTC.detach().cpu().double(), dim=-1)
    agree_LTT = (probs_LTC @ probs_LTC.transpose(1, 2)).numpy()
    together_LTT = np.concatenate([np.ones_like(agree_LTT[:1]), np.cumprod(agree_LTT, axis=0)[:-1]])
    # Rounded, so that values which differ from 0 only by the rounding of the softmax become ties.
    dissimilarity_LTT = np.round(together_LTT * (1.0 / num_candidates - agree_LTT), 12)
    return dissimilarity_LTT * ~np.eye(logits_LTC.shape[1], dtype=bool) + 0.0


def check_logits(logits_LTC: Tensor) -> None:
    """Raise an InputError unless logits are finite and [L, T, C]; the arg-max of NaN would be 0, as if tasks shared."""
    if logits_LTC.dim() != 3 or logits_LTC.numel() == 0:
        raise InputError(
            f"logits must be a non-empty array [blocks, tasks, candidates]; found shape {list(logits_LTC.shape)}"
        )
    if not bool(torch.isfinite(logits_LTC).all()):
        block = int((~torch.isfinite(logits_LTC)).flatten(1).any(dim=1).int().argmax())
        raise InputError(f"logits must be finite; found NaN or infinity at block {block}")
