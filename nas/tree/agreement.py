"""How many of several trees agree with each split of one tree, such as those that a search finds with other seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

from nas.tree.branch_tree import BranchTree
from nas.tree.difference import check_comparable, listed
from nas.tree.partition import Group, Partition


@dataclass(frozen=True)
class SplitAgreement:
    """One split of a tree, and in how many of several trees these tasks part.

    Tasks part in another tree at the first block where no two of them that are in different ``parts`` share it.

    Args:
        block: name of the block at which the tree parts them.
        parts: the groups that one group is parted into.
        here, before: number of trees that part them at this block, and at an earlier one.
        num_trees: number of all trees.
    """

    block: str
    parts: tuple[Group, ...]
    here: int
    before: int
    num_trees: int

    @property
    def doubtful(self) -> bool:
        """Whether no more than half of the trees have parted the tasks by this block."""
        return 2 * (self.here + self.before) <= self.num_trees

    @property
    def sentence(self) -> str:
        """``"ink parts from left and right at block4"``."""
        # The smallest part leaves the others.
        first, *others = sorted(self.parts, key=len)
        if len(others) == 1:
            who = f"{listed(first)} part{'s' if len(first) == 1 else ''} from {listed(others[0])}"
        else:
            who = f"{'; '.join(map(listed, self.parts))} part from each other"
        return f"{who} at {self.block}"

    def in_words(self, what: str = "trees") -> str:
        """``"ink parts from left and right at block4 in 2 of 3 seeds, earlier in 1"``; ``what`` is what is counted."""
        after = self.num_trees - self.here - self.before
        also = "".join(f", {when} in {n}" for when, n in (("earlier", self.before), ("later or never", after)) if n)
        return f"{self.sentence} in {self.here} of {self.num_trees} {what}{also}"


def split_agreement(tree: BranchTree, others: Sequence[BranchTree]) -> list[SplitAgreement]:
    """The splits of a tree, from its first block to its last, and how many of the other trees agree with each.

    Raises:
        InputError: the trees differ in their tasks or numbers of blocks.

    >>> tree = BranchTree.from_choices(["left", "right", "ink"], [[0, 0, 0], [0, 0, 1]])
    >>> early = BranchTree.from_choices(["left", "right", "ink"], [[0, 0, 1], [0, 1, 2]])
    >>> [split.in_words() for split in split_agreement(tree, [tree, tree, early])]
    ['ink parts from left and right at block1 in 2 of 3 trees, earlier in 1']
    """
    for other in others:
        check_comparable(tree, other)
    splits = []
    before: Partition = (tree.tasks,)
    for l, partition in enumerate(tree.partitions):
        for group in before:
            parts = tuple(part for part in partition if set(part) <= set(group))
            if len(parts) > 1:
                parted = [_parted_at(parts, other) for other in others]
                here, earlier = (sum(at == l for at in parted), sum(at < l for at in parted))
                splits.append(SplitAgreement(tree.blocks[l], parts, here, earlier, len(others)))
        before = partition
    return splits


def _parted_at(parts: Sequence[Group], tree: BranchTree) -> int:
    """The first block whose groups all have tasks of one part only; L if there is none."""
    part_of = {task: i for i, part in enumerate(parts) for task in part}
    for l, partition in enumerate(tree.partitions):
        if all(len({part_of[task] for task in group if task in part_of}) <= 1 for group in partition):
            return l
    return len(tree.partitions)
