"""What two tasks of a tree do to each other, in numbers and in plain sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nas.strategies.transfer.gains import Gain, PairEffects
from nas.tree import BranchTree


@dataclass(frozen=True)
class Exchange:
    """The gains of two tasks from each other.

    Args:
        effects: the posterior of a measured search.
        tree: the tree that both tasks are in.
        tasks: their names.
        num_shared: number of blocks that they share in the tree, which are the first ones.
    """

    effects: PairEffects
    tree: BranchTree
    tasks: tuple[str, str]
    num_shared: int

    @property
    def by_block(self) -> tuple[Sequence[Gain], Sequence[Gain]]:
        """What each task gains from sharing each block with the other one alone."""
        first, second = zip(*(self._alone(range(l, l + 1)) for l in range(len(self.effects.blocks))), strict=True)
        return first, second

    @property
    def in_tree(self) -> tuple[Gain, Gain]:
        """What each task gains from the other one in the tree's groups; these gains sum to those of the tree."""
        weights_L = [1.0 / size for size in self._sizes] + [0.0] * (len(self.effects.blocks) - self.num_shared)
        first, second = self.tasks
        return self.effects.gain(first, second, weights_L), self.effects.gain(second, first, weights_L)

    @property
    def summary(self) -> dict[str, Any]:
        """How many blocks they share and what they gain in the tree, and what they gain if they share all blocks."""
        num_blocks = len(self.effects.blocks)
        first, second = self.in_tree if self.num_shared else (None, None)
        first_all, second_all = self._alone(range(num_blocks))
        return {
            "shared": f"{self.num_shared} of {num_blocks}",
            "first": first,
            "second": second,
            "first, all": first_all,
            "second, all": second_all,
        }

    @property
    def sentence(self) -> str:
        """One line for the blocks that they share, one for larger groups if there are any, one for the other blocks."""
        shared, rest = range(self.num_shared), range(self.num_shared, len(self.effects.blocks))
        lines = []
        if shared:
            lines.append(self._in_words(f"sharing {self.effects.range_name(shared)}", shared, ("helps", "hurts")))
        if any(size > 2 for size in self._sizes):
            gains = " and ".join(
                f"{gain} for {name} ({gain.certainty})" for name, gain in zip(self.tasks, self.in_tree, strict=True)
            )
            lines.append(f"in this tree, in groups of up to {max(self._sizes)} tasks, that is {gains}")
        if rest:
            name = self.effects.range_name(rest)
            more = f"also sharing {name}" if shared else f"they share no block; sharing {name}"
            lines.append(self._in_words(more, rest, ("would help", "would hurt")))
        return "\n".join(lines)

    @property
    def _sizes(self) -> list[int]:
        """The sizes of the groups in which the two tasks are together, block by block."""
        groups = (
            next(group for group in partition if self.tasks[0] in group)
            for partition in self.tree.partitions[: self.num_shared]
        )
        return [len(group) for group in groups]

    def _alone(self, blocks: range) -> tuple[Gain, Gain]:
        first, second = self.tasks
        return self.effects.as_pair(first, second, blocks), self.effects.as_pair(second, first, blocks)

    def _in_words(self, what: str, blocks: range, verbs: tuple[str, str]) -> str:
        first, second = self.tasks
        to_first, to_second = self._alone(blocks)
        helps = [verbs[0] if gain.mean >= 0 else verbs[1] for gain in (to_first, to_second)]
        return (
            f"{what} with {second} {helps[0]} {first} by {to_first.size} ({to_first.certainty}); "
            f"with {first} it {helps[1]} {second} by {to_second.size} ({to_second.certainty})"
        )
