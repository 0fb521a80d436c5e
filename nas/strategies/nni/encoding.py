"""Trees as independent choices: with which earlier task each task shares blocks, and how many."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas.tree import BranchTree


@dataclass(frozen=True)
class Encoding:
    """Every task but the first chooses a partner among the tasks before it, and the number of blocks they share.

    At the blocks that it shares, a task is in its partner's group; at the others it is alone, until later tasks join
    it. So every sample is a tree, and a change of one choice moves one task. Several samples can be one tree, because
    two tasks in one group are equal partners. One of them is canonical: the number is the most blocks that the task
    shares with any task before it, and the partner the first task with which it shares so many.

    >>> encoding = Encoding(("a", "b", "c"), 2)
    >>> sample = {"b: blocks": 2, "c: with": "b", "c: blocks": 1}
    >>> encoding.tree(sample).partitions
    ((('a', 'b', 'c'),), (('a', 'b'), ('c',)))
    >>> encoding.sample(encoding.tree(sample))
    {'b: blocks': 2, 'c: with': 'a', 'c: blocks': 1}

    Args:
        tasks: names of the T tasks.
        num_blocks: number of blocks L.
    """

    tasks: tuple[str, ...]
    num_blocks: int

    @property
    def choices(self) -> dict[str, tuple[Any, ...]]:
        """By label, what a sample may choose: prod_t t (L + 1) samples in all, for t = 1, ..., T-1."""
        found: dict[str, tuple[Any, ...]] = {}
        for t, task in enumerate(self.tasks[1:], start=1):
            if t > 1:
                found[f"{task}: with"] = self.tasks[:t]
            found[f"{task}: blocks"] = tuple(range(self.num_blocks + 1))
        return found

    def tree(self, sample: Mapping[str, Any]) -> BranchTree:
        """The tree of a sample."""
        groups_LT = [[0] for _ in range(self.num_blocks)]
        for t, task in enumerate(self.tasks[1:], start=1):
            partner = self.tasks.index(sample.get(f"{task}: with", self.tasks[0]))
            shared = sample[f"{task}: blocks"]
            for l, groups_T in enumerate(groups_LT):
                groups_T.append(groups_T[partner] if l < shared else t)
        return BranchTree.from_choices(self.tasks, groups_LT)

    def sample(self, tree: BranchTree) -> dict[str, Any]:
        """The canonical sample of a tree."""
        found: dict[str, Any] = {}
        for t, task in enumerate(self.tasks[1:], start=1):
            shared = [self._shared(tree, task, other) for other in self.tasks[:t]]
            if t > 1:
                found[f"{task}: with"] = self.tasks[shared.index(max(shared))]
            found[f"{task}: blocks"] = max(shared)
        return found

    @staticmethod
    def _shared(tree: BranchTree, one: str, other: str) -> int:
        """The number of blocks that two tasks share."""
        return sum(any(one in group and other in group for group in partition) for partition in tree.partitions)
