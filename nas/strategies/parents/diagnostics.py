"""How decided the logits of parents are, and how much an epoch changed them."""

from collections.abc import Sequence

import torch
from torch import Tensor

from nas.discretize import dissimilarity_from_parents
from nas.strategies.gradient.diagnostics import MOST_PROBABILITIES, entropy_L, root_mean_square


def entropies(logits: Sequence[Tensor]) -> list[float]:
    """Entropy of each block's softmax(logits), averaged over its readers and divided by log J, as in `entropy_L`."""
    return [entropy_L(logits_KJ[None]).item() for logits_KJ in logits]


def ancestor_probabilities(logits: Sequence[Tensor]) -> list[list[list[float]]] | None:
    """The probability that a task descends from a node, by block and task, with four digits; None if they are many.

    It is the product of the blocks' probabilities, since a task's ancestors choose independently.
    """
    product_TJ, found = torch.eye(len(logits[-1]), dtype=torch.float64, device=logits[-1].device), []
    for logits_KJ in reversed(logits):
        product_TJ = product_TJ @ torch.softmax(logits_KJ.detach().double(), dim=-1)
        found.append([[round(p, 4) for p in row] for row in product_TJ.tolist()])
    return found[::-1] if sum(len(row) for block in found for row in block) <= MOST_PROBABILITIES else None


def drift(before: Sequence[Tensor], after: Sequence[Tensor]) -> float:
    """Change of the dissimilarities that trees are made from: root mean square over blocks and pairs of tasks."""
    return root_mean_square(dissimilarity_from_parents(after) - dissimilarity_from_parents(before))
