"""How decided the logits are, and how much an epoch changed them."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.discretize import dissimilarity_from_logits


def entropy_L(logits_LTC: Tensor) -> Tensor:
    """Entropy of softmax(logits) per block, averaged over tasks and divided by log C: 1 is undecided, 0 decided.

    With one candidate the entropy is 0.
    """
    log_probs_LTC = torch.log_softmax(logits_LTC.double(), dim=-1)
    entropy_LT = -(log_probs_LTC.exp() * log_probs_LTC).sum(dim=-1)
    return entropy_LT.mean(dim=-1) / max(math.log(logits_LTC.shape[-1]), 1e-12)


MOST_PROBABILITIES = 8192
"""More would make the records of all epochs, which each checkpoint holds, larger than the weights."""


def probabilities_LTC(logits_LTC: Tensor) -> list[list[list[float]]] | None:
    """softmax(logits) with four digits, for the record of an epoch; None for more than 8192 of them."""
    if logits_LTC.numel() > MOST_PROBABILITIES:
        return None
    probs_LTC = torch.softmax(logits_LTC.double(), dim=-1).tolist()
    return [[[round(p, 4) for p in row] for row in block] for block in probs_LTC]


def drift(before_LTC: Tensor, after_LTC: Tensor) -> float:
    """Change of the dissimilarities that trees are made from: root mean square over blocks and pairs of tasks."""
    return root_mean_square(dissimilarity_from_logits(after_LTC) - dissimilarity_from_logits(before_LTC))


def root_mean_square(change_LTT: NDArray[np.float64]) -> float:
    """Over blocks and pairs of tasks; the diagonal is zero and does not count."""
    num_blocks, num_tasks, _ = change_LTT.shape
    num_pairs = max(1, num_blocks * num_tasks * (num_tasks - 1))
    return math.sqrt(float((change_LTT**2).sum()) / num_pairs)
