"""Copies weights of nodes into the network of a tree."""

from collections.abc import Sequence

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from nas.networks.branched import BranchedNetwork
from nas.networks.supernet import ParentSupernet
from nas.strategies.inherit import copy_parts
from nas.tree import BranchTree


def assign_nodes(tree: BranchTree, tasks: tuple[str, ...], logits: Sequence[Tensor]) -> list[list[int]]:
    """The node that each group of a tree inherits, per block and group.

    No two groups of a block inherit the same node, as long as there are enough. It is the assignment with the largest
    sum over groups and their tasks of the logarithm of the probability that the task descends from the node. For the
    arg-max tree of sharp logits the result is the tasks' ancestors.

    Args:
        tree: any tree; one with more groups at a block than nodes cannot come from the search.
        tasks: names of the tasks, in the order of the logits' rows.
        logits: L tensors [readers, nodes].
    """
    product_TJ, chosen = torch.eye(len(tasks), dtype=torch.float64), []
    for logits_KJ, partition in zip(reversed(logits), reversed(tree.partitions), strict=True):
        product_TJ = product_TJ @ torch.softmax(logits_KJ.detach().cpu().double(), dim=-1)
        # Far below any other probability, so that one impossible task decides more than all others together.
        scores_TJ = product_TJ.clamp_min(1e-300).log()
        scores_GJ = torch.stack([scores_TJ[[tasks.index(task) for task in group]].sum(dim=0) for group in partition])
        enough = scores_GJ.shape[0] <= scores_GJ.shape[1]
        best_G = linear_sum_assignment(scores_GJ.numpy(), maximize=True)[1] if enough else scores_GJ.argmax(dim=1)
        chosen.append(best_G.tolist())
    return chosen[::-1]


def inherit_nodes(network: BranchedNetwork, supernet: ParentSupernet, logits: Sequence[Tensor]) -> None:
    """Copy stem, heads and, for every group, its node's weights (`assign_nodes`) into a network.

    The running statistics of BatchNorms are copied, too, but those of other routings do not fit the network: estimate
    them anew before evaluating (`nas.training.estimate_batch_statistics`).
    """
    copy_parts(network, supernet, assign_nodes(network.tree, supernet.task_names, logits))
