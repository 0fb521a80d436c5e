"""Copies weights from a supernet, or from own copies, into the network of a tree."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas.networks.branched import BranchedNetwork
from nas.networks.supernet import ParentSupernet, Supernet
from nas.strategies.similarity.dissimilarity import Dissimilarity
from nas.strategies.similarity.start import medoid
from nas.tree import BranchTree


def assign_candidates(tree: BranchTree, tasks: tuple[str, ...], logits_LTC: Tensor) -> list[list[int]]:
    """The candidate that each group of a tree inherits, per block and group.

    A group inherits the candidate c with the largest sum_{t in G} log p_l(t, c). Groups that part at this block get
    different candidates by the best assignment, as long as there are enough candidates. For the arg-max tree of sharp
    logits the result is the arg-max choices.
    """
    log_probs_LTC: NDArray[np.float64] = torch.log_softmax(logits_LTC.detach().double(), dim=-1).cpu().numpy()
    chosen = []
    for l, partition in enumerate(tree.partitions):
        siblings: dict[object, list[int]] = {}
        for i, group in enumerate(partition):
            siblings.setdefault(tree.parent_group(l, group), []).append(i)
        row = [0] * len(partition)
        for indices in siblings.values():
            scores = np.stack(
                [log_probs_LTC[l, [tasks.index(task) for task in partition[i]]].sum(axis=0) for i in indices]
            )
            best = scores.argmax(axis=1)
            if len(indices) <= scores.shape[1]:
                best = linear_sum_assignment(scores, maximize=True)[1]
            for i, candidate in zip(indices, best, strict=True):
                row[i] = int(candidate)
        chosen.append(row)
    return chosen


def inherit_weights(network: BranchedNetwork, supernet: Supernet, logits_LTC: Tensor) -> None:
    """Copy stem, heads and, for every group, its candidate's weights (`assign_candidates`) into a network.

    A candidate's BatchNorm without scale and shift becomes an equivalent one with scale 1 and shift 0. The running
    statistics are copied, too, but those of mixed features do not fit the network: estimate them anew before
    evaluating (`nas.training.estimate_batch_statistics`).
    """
    copy_parts(network, supernet, assign_candidates(network.tree, supernet.task_names, logits_LTC))


def inherit_copies(network: BranchedNetwork, copies: Supernet, measured: Dissimilarity) -> None:
    """Copy the stem, the first copy's head of each task and, for every group, its medoid's block into a network.

    The medoid of a group is the task with the smallest summed dissimilarity to the others at that block. The group
    inherits the weights and statistics of the medoid's first copy.

    Args:
        copies: the own copies (`nas.strategies.similarity.copies`).
        measured: their dissimilarities, at least for the tasks of the tree.
    """
    chosen = [
        [medoid([measured.tasks.index(task) for task in group], unlike_TT) for group in partition]
        for partition, unlike_TT in zip(network.tree.partitions, measured.dissimilarity_LTT, strict=True)
    ]
    copy_parts(network, copies, chosen)


def copy_parts(network: BranchedNetwork, supernet: Supernet | ParentSupernet, chosen: Sequence[Sequence[int]]) -> None:
    """Copy stem, heads and, for every block and group, the chosen instance's weights into a network."""
    network.stem.load_state_dict(supernet.stem.state_dict())
    for instances, candidates, row in zip(network.blocks, supernet.blocks, chosen, strict=True):
        assert isinstance(instances, nn.ModuleList)
        assert isinstance(candidates, nn.ModuleList)
        for instance, candidate in zip(instances, row, strict=True):
            _load_with_affine(instance, candidates[candidate].state_dict())
    for name, head in network.heads.items():
        head.load_state_dict(supernet.heads[name].state_dict())


def _load_with_affine(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    missing, unexpected = module.load_state_dict(state, strict=False)
    assert not unexpected, f"the network has no {unexpected}"
    for key in missing:
        owner, _, field = key.rpartition(".")
        norm = module.get_submodule(owner)
        assert isinstance(norm, _BatchNorm), f"the supernet has no {key}"
        assert field in ("weight", "bias"), f"the supernet has no {key}"
        (nn.init.ones_ if field == "weight" else nn.init.zeros_)(getattr(norm, field))
