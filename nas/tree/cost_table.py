"""The cost table: what each block, the stem and each head cost, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.tree.branch_tree import BranchTree

Cost = Mapping[str, float]
"""An amount of each resource, e.g. ``{"macs": 1200, "params": 340}``."""


@dataclass(frozen=True)
class CostTable:
    """Costs of one instance of the stem, of each of the L blocks, and of each task's head.

    MACs are per sample (one multiply-add is one), parameters are counted, both exact integers; latency, where
    there is one, is in milliseconds.
    """

    stem: Cost
    blocks: tuple[Cost, ...]
    heads: Mapping[str, Cost]
    block_names: tuple[str, ...]

    @property
    def resources(self) -> tuple[str, ...]:
        return tuple(self.stem)

    def tree_cost(self, tree: BranchTree) -> dict[str, float]:
        """One stem, every block once per group, one head per task. Blocks match by position."""
        assert len(tree.partitions) == len(self.blocks)
        return {
            resource: self.stem[resource]
            + sum(n * block[resource] for n, block in zip(tree.num_groups, self.blocks, strict=True))
            + sum(self.heads[task][resource] for task in tree.tasks)
            for resource in self.resources
        }

    def single_task_cost(self, task: str) -> dict[str, float]:
        """A complete network for one task: stem, every block once, head."""
        return {
            resource: self.stem[resource] + sum(block[resource] for block in self.blocks) + self.heads[task][resource]
            for resource in self.resources
        }

    def separate_cost(self, tasks: Sequence[str] | None = None) -> dict[str, float]:
        """T complete single-task networks, T stems included: what a budget's share refers to."""
        singles = [self.single_task_cost(task) for task in (self.heads if tasks is None else tasks)]
        return {resource: sum(single[resource] for single in singles) for resource in self.resources}

    def to_dict(self) -> dict[str, Any]:
        return {
            "stem": dict(self.stem),
            "blocks": [{"name": n, **b} for n, b in zip(self.block_names, self.blocks, strict=True)],
            "heads": {task: dict(cost) for task, cost in self.heads.items()},
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> CostTable:
        """The inverse of `to_dict`."""
        blocks = [dict(block) for block in record["blocks"]]
        names = tuple(block.pop("name") for block in blocks)
        return cls(dict(record["stem"]), tuple(blocks), {t: dict(c) for t, c in record["heads"].items()}, names)
