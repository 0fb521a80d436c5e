"""How far two trees agree, such as a tree that a search found and the known true tree."""

from dataclasses import dataclass

from nas.tree.branch_tree import BranchTree
from nas.tree.difference import distance


@dataclass(frozen=True)
class Recovery:
    """Agreement of a found tree with the planted one.

    Args:
        ari: mean over the blocks of ``ari_by_block``.
        rand: mean over the blocks of the Rand index, the share of pairs of tasks on which both agree; 1 - distance.
        ari_by_block, rand_by_block: adjusted and plain Rand index of the two partitions at each of the L blocks.
        distance: `nas.tree.distance`.
        exact: whether the trees are equal.
    """

    ari: float
    rand: float
    ari_by_block: tuple[float, ...]
    rand_by_block: tuple[float, ...]
    distance: float
    exact: bool


def recovery(found: BranchTree, planted: BranchTree) -> Recovery:
    """Compare the partitions of two trees block by block.

        ARI = (index - expected index) / (maximum index - expected index)

    over pairs of tasks in one group (Hubert and Arabie, Journal of Classification 1985, eq. 5; scikit-learn's): 1 for
    equal partitions, 0 on average for random ones with the same sizes of groups, and negative below that. Where the
    formula is 0 / 0, both partitions are trivial in the same way (all tasks in one group, or each alone), and ARI is 1.
    If only one of them is trivial, ARI is 0, even if a single pair is wrong. The Rand index says how much is wrong.

    Raises:
        InputError: the trees differ in their tasks or numbers of blocks.

    >>> planted = BranchTree.from_choices(["a", "b", "c"], [[0, 0, 0], [0, 0, 1]])
    >>> recovery(BranchTree.shared(["a", "b", "c"], 2), planted).ari_by_block
    (1.0, 0.0)
    """
    # It takes a second to import, which only those who use it should pay.
    from sklearn.metrics import adjusted_rand_score, rand_score

    parted = distance(found, planted)
    # In one order of the tasks, which may differ between equal trees.
    pairs = list(zip(found.restricted_to(planted.tasks).choices_LT, planted.choices_LT, strict=True))
    ari_by_block = tuple(float(adjusted_rand_score(truth, labels)) for labels, truth in pairs)
    rand_by_block = tuple(float(rand_score(truth, labels)) for labels, truth in pairs)
    num_blocks = len(pairs)
    return Recovery(
        ari=sum(ari_by_block) / num_blocks,
        rand=sum(rand_by_block) / num_blocks,
        ari_by_block=ari_by_block,
        rand_by_block=rand_by_block,
        distance=parted,
        exact=found == planted,
    )
