"""Starts a gradient search from own copies: weights of the candidates, and logits that favour trees of the curve."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from nas.discretize import Curve, discretize
from nas.networks.supernet import Supernet
from nas.strategies.similarity.dissimilarity import Dissimilarity, Floats
from nas.tree import BranchTree, CostTable

NUM_BUDGETS = 16
"""Number of costs, evenly spaced, whose trees on the curve the logits start from."""

UNDECIDED = 0.1
"""Share of a task's probability that is spread evenly over all candidates at the start."""

_TIE = 1e-6


def medoid(group: Sequence[int], dissimilarity_TT: Floats) -> int:
    """The task of a group with the smallest summed dissimilarity to the others; the first one if several are equal."""
    members = np.asarray(group)
    return int(members[dissimilarity_TT[np.ix_(members, members)].sum(axis=1).argmin()])


def candidate_sources(measured: Dissimilarity, num_candidates: int) -> list[list[int]]:
    """The task whose first copy each candidate starts from, per block, ``[L][C]``.

    With C >= T candidates, candidate t starts from task t, and the remaining ones start from no task (-1). With C < T,
    the best tree by dissimilarity above the floor (`nas.discretize.discretize`) with at most C groups at every block
    groups the tasks, and each candidate starts from the medoid of one group. If a block has fewer than C groups, the
    task farthest from all sources is added as a source, until there are C.
    """
    num_blocks, num_tasks, _ = measured.dissimilarity_LTT.shape
    if num_candidates >= num_tasks:
        return [[*range(num_tasks), *[-1] * (num_candidates - num_tasks)]] * num_blocks
    # If only the last block costs something, the cost of a tree is its number of groups there.
    free, counted = {"groups": 0}, {"groups": 1}
    table = CostTable(
        stem=free,
        blocks=(*[free] * (num_blocks - 1), counted),
        heads=dict.fromkeys(measured.tasks, free),
        block_names=tuple(f"block{l}" for l in range(num_blocks)),
    )
    tree = discretize(measured.tasks, measured.above_floor(), table, "groups").within(num_candidates).tree
    sources = []
    for partition, unlike_TT in zip(tree.partitions, measured.dissimilarity_LTT, strict=True):
        chosen = [medoid([measured.tasks.index(task) for task in group], unlike_TT) for group in partition]
        while len(chosen) < num_candidates:
            nearest_T = unlike_TT[:, chosen].min(axis=1)
            nearest_T[chosen] = -np.inf
            chosen.append(int(nearest_T.argmax()))
        sources.append(chosen)
    return sources


def starting_logits(
    measured: Dissimilarity, curve: Curve, sources: Sequence[Sequence[int]], limits: Sequence[float]
) -> Tensor:
    """Logits whose softmax is a mixture of the one-hot choices of trees of the curve, [L, T, C].

        softmax(logits)_l(t, c) = (1 - u) (weight of the trees in which t's group takes c at block l) + u / C

    with u = `UNDECIDED`. Half of the weight is spread evenly over the trees of the limits, and half over the trees at
    `NUM_BUDGETS` costs, evenly spaced over the whole curve. So tasks that share a block in a wanted tree probably take
    the same candidate, tasks that part early on the curve probably do not, and every choice has some probability.

    In each tree the groups of a block take different candidates, by the assignment with the smallest mean dissimilarity
    of their tasks to the candidates' sources. Among equal ones, the source nearest to all tasks is taken. A tree with
    more than C groups is replaced by the next cheaper one with at most C.

    Args:
        measured: the dissimilarities of the own copies.
        curve: the curve of these dissimilarities.
        sources: the result of `candidate_sources`.
        limits: the largest costs of the wanted trees, at least one; absolute, in the curve's resource.
    """
    num_candidates = len(sources[0])
    trees = [point.tree for point in curve]
    fitting = np.array([k for k, tree in enumerate(trees) if tree.num_groups[-1] <= num_candidates])
    cost_K = curve.cost_K[fitting]
    costs = [*limits, *np.linspace(cost_K[0], cost_K[-1], NUM_BUDGETS)]
    weight_N = np.repeat([0.5 / len(limits), 0.5 / NUM_BUDGETS], [len(limits), NUM_BUDGETS])
    chosen = fitting[np.searchsorted(cost_K, costs, side="right") - 1]
    choices_NLT = np.array([_choices(trees[k], measured, sources) for k in chosen])
    share_LTC = np.tensordot(weight_N, choices_NLT[..., None] == np.arange(num_candidates), axes=1)
    log_LTC = np.log((1.0 - UNDECIDED) * share_LTC + UNDECIDED / num_candidates)
    # Centred at zero, so that weight decay changes them least.
    return torch.from_numpy(log_LTC - log_LTC.mean(axis=-1, keepdims=True)).float()


def _choices(tree: BranchTree, measured: Dissimilarity, sources: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    choices_LT = np.empty((len(tree.partitions), len(measured.tasks)), np.int64)
    for l, (partition, unlike_TT) in enumerate(zip(tree.partitions, measured.dissimilarity_LTT, strict=True)):
        groups = [[measured.tasks.index(task) for task in group] for group in partition]
        # A candidate without a source is taken when all others are.
        far = unlike_TT.max() + 1.0
        unlike_TC = np.stack([unlike_TT[:, s] if s >= 0 else np.full(len(unlike_TT), far) for s in sources[l]], axis=1)
        cost_GC = np.stack([unlike_TC[group].mean(axis=0) for group in groups]) + _TIE * unlike_TC.mean(axis=0)
        for group, candidate in zip(groups, linear_sum_assignment(cost_GC)[1], strict=True):
            choices_LT[l, group] = candidate
    return choices_LT


def start_candidates(supernet: Supernet, copies: Supernet, sources: Sequence[Sequence[int]]) -> None:
    """Give stem, heads and candidates the weights and statistics of the first copies of their sources' tasks."""
    supernet.stem.load_state_dict(copies.stem.state_dict())
    for name, head in supernet.heads.items():
        head.load_state_dict(copies.heads[name].state_dict())
    for candidates, own, row in zip(supernet.blocks, copies.blocks, sources, strict=True):
        assert isinstance(candidates, nn.ModuleList)
        assert isinstance(own, nn.ModuleList)
        for candidate, source in zip(candidates, row, strict=True):
            if source >= 0:
                candidate.load_state_dict(own[source].state_dict())
