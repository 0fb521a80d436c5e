"""The arg-max rule: at each block, each task takes its most likely candidate."""

from collections.abc import Sequence

from torch import Tensor

from nas.discretize.dissimilarity import check_logits
from nas.errors import InputError
from nas.tree import BranchTree


def argmax_tree(tasks: Sequence[str], logits_LTC: Tensor) -> BranchTree:
    """The tree of the choices ``argmax_c logits[l, t, c]``, the rule of BMTAS and LTB, which cannot keep a budget.

    Of equal logits the first one is taken, so uniform logits give the fully shared tree.

    Args:
        tasks: names of the T tasks.
        logits_LTC: [L, T, C].

    Raises:
        InputError: logits are not finite, or not of T tasks.
    """
    check_logits(logits_LTC)
    if logits_LTC.shape[1] != len(tasks):
        raise InputError(f"logits of shape {list(logits_LTC.shape)} are not of the {len(tasks)} tasks {list(tasks)}")
    return BranchTree.from_choices(tasks, logits_LTC.argmax(dim=-1).tolist())


def count_changed_choices(before_LTC: Tensor, after_LTC: Tensor) -> int:
    """How many of the L T arg-max choices differ between two logits; a search has converged if it stays 0."""
    assert before_LTC.shape == after_LTC.shape
    return int((before_LTC.argmax(dim=-1) != after_LTC.argmax(dim=-1)).sum())
