"""The cost table: what each block, the stem and each head cost, as plain numbers."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from nas.display import Displayed
from nas.errors import InputError, brief

if TYPE_CHECKING:
    from nas.tree.branch_tree import BranchTree

Cost = Mapping[str, float]
"""An amount of each resource, e.g. ``{"macs": 1200, "params": 340}``."""


@dataclass(frozen=True, repr=False)
class CostTable(Displayed):
    """Costs of one instance of the stem, of each of the L blocks, and of each task's head.

    MACs are per sample (one multiply-add is one), parameters are counted, both exact integers; latency, where
    there is one, is in milliseconds.

    Raises:
        InputError: an amount is not a finite number >= 0, the parts differ in their resources, or the names of
            the blocks are doubled or not as many as the blocks.
    """

    stem: Cost
    blocks: tuple[Cost, ...]
    heads: Mapping[str, Cost]
    block_names: tuple[str, ...]

    def __post_init__(self) -> None:
        names = tuple(self.block_names)
        if not names or len(names) != len(self.blocks) or len(set(names)) < len(names):
            raise InputError(
                f"a cost table needs one distinct name per block: {len(self.blocks)} blocks, names {list(names)}"
            )
        stem = checked_cost(self.stem, "the cost of the stem")
        blocks = tuple(
            checked_cost(cost, f"the cost of block {name!r}") for name, cost in zip(names, self.blocks, strict=True)
        )
        heads = {task: checked_cost(cost, f"the cost of head {task!r}") for task, cost in self.heads.items()}
        for name, part in [*zip(names, blocks, strict=True), *heads.items()]:
            if set(part) != set(stem):
                raise InputError(f"the cost of {name!r} is in {list(part)}, the cost of the stem in {list(stem)}")
        object.__setattr__(self, "stem", stem)
        object.__setattr__(self, "blocks", blocks)
        object.__setattr__(self, "heads", heads)
        object.__setattr__(self, "block_names", names)

    def summary(self) -> str:
        return f"{len(self.blocks)} blocks, {len(self.heads)} heads: {', '.join(self.resources)}"

    def records(self) -> list[dict[str, Any]]:
        """A line for each part, with its cost in each resource."""
        parts = [("stem", self.stem), *zip(self.block_names, self.blocks, strict=True)]
        return [{"part": name, **cost} for name, cost in [*parts, *((f"head {t}", c) for t, c in self.heads.items())]]

    @property
    def resources(self) -> tuple[str, ...]:
        return tuple(self.stem)

    def tree_cost(self, tree: BranchTree) -> dict[str, float]:
        """One stem, every block once per group, one head per task. Blocks match by position.

        Raises:
            InputError: the tree has another number of blocks, or tasks without a head in the table.
        """
        if len(tree.partitions) != len(self.blocks):
            raise InputError(
                f"the tree has {len(tree.partitions)} blocks, the backbone's cost table {len(self.blocks)}; "
                f"take a tree that was made for this backbone"
            )
        return {resource: self.total(resource, tree.num_groups, tree.tasks) for resource in self.resources}

    def total(self, resource: str, num_groups: Iterable[Any], tasks: Sequence[str]) -> Any:
        """``cost(stem) + sum_l n_l cost_l + sum_t cost(head_t)`` in one resource.

        Args:
            resource: one of `resources`.
            num_groups: n_l for each of the L blocks: integers, or arrays of them for many trees at once.
            tasks: the tasks that have a head.

        Returns:
            A number, or an array of the same shape, bitwise equal to the numbers one by one.
        """
        self._check_tasks(tasks)
        # Plain additions from left to right: `sum` and numpy's reductions round differently.
        total: Any = self.stem[resource]
        for n, block in zip(num_groups, self.blocks, strict=True):
            total = total + n * block[resource]
        for task in tasks:
            total = total + self.heads[task][resource]
        return total

    def single_task_cost(self, task: str) -> dict[str, float]:
        """A complete network for one task: stem, every block once, head."""
        return {resource: self.total(resource, [1] * len(self.blocks), (task,)) for resource in self.resources}

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
        """The inverse of `to_dict`; a malformed record is an InputError."""
        try:
            blocks = [dict(block) for block in record["blocks"]]
            names = tuple(block.pop("name") for block in blocks)
            return cls(record["stem"], tuple(blocks), dict(record["heads"]), names)
        except InputError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"a cost table has a stem, blocks (each with its name) and heads; found {brief(record)}"
            ) from error

    def _check_tasks(self, tasks: Iterable[str]) -> None:
        if unknown := [task for task in tasks if task not in self.heads]:
            raise InputError(f"the cost table has no heads for the tasks {unknown}; it has {list(self.heads)}")


def checked_cost(cost: Any, what: str) -> dict[str, float]:
    """A cost with plain numbers as amounts; InputError unless all are finite and >= 0."""
    if not isinstance(cost, Mapping) or not all(isinstance(key, str) and key.isprintable() for key in cost):
        raise InputError(f"{what} must map each resource to a number; found {brief(cost)}")
    return {resource: _checked_amount(amount, f"{what} in {resource}") for resource, amount in cost.items()}


def _checked_amount(amount: Any, what: str) -> float:
    if isinstance(amount, Real) and not isinstance(amount, bool):
        plain = int(amount) if isinstance(amount, Integral) else float(amount)
        if 0 <= plain <= sys.float_info.max:
            return plain
    raise InputError(f"{what} must be a finite number >= 0; found {brief(amount)}")
