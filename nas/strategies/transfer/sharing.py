"""What a tree says about sharing: for every task and block, with whom it shares, as numbers for a linear model."""

from collections.abc import Sequence

import torch
from torch import Tensor

from nas.errors import InputError
from nas.tree import BranchTree


def sharing_of(trees: Sequence[BranchTree], tasks: Sequence[str]) -> Tensor:
    """The features of the transfer model, [N, T, L, T] in double precision.

        x[n, t, l, s] = 1 / |G_l(t)|   if tree n has tasks t and s != t in one group G_l(t) at block l, else 0

    A tree may lack tasks: then nobody shares with them, and their own rows are 0.

    Raises:
        InputError: the trees have different numbers of blocks, or a task that is not in `tasks`.
    """
    index = {name: t for t, name in enumerate(tasks)}
    num_blocks = {len(tree.partitions) for tree in trees}
    if len(num_blocks) != 1:
        raise InputError(f"the trees must have the same number of blocks; found {sorted(num_blocks)}")
    if unknown := {name for tree in trees for name in tree.tasks} - set(index):
        raise InputError(f"the trees have tasks {sorted(unknown)}, which are not among {list(tasks)}")
    together_NLTT = torch.zeros(len(trees), num_blocks.pop(), len(tasks), len(tasks), dtype=torch.float64)
    for n, tree in enumerate(trees):
        for l, groups in enumerate(tree.partitions):
            for group in groups:
                members = torch.tensor([index[name] for name in group])
                together_NLTT[n, l, members[:, None], members] = 1.0 / len(group)
    together_NLTT.diagonal(dim1=2, dim2=3).zero_()
    return together_NLTT.transpose(1, 2).contiguous()
