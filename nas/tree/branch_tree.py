"""The branch tree: which tasks share which blocks."""

import hashlib
import json
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from nas.display import Displayed
from nas.errors import InputError, brief, no_such
from nas.limits import MOST_BLOCKS, MOST_PARTS, MOST_TASKS
from nas.tree.cost_table import Cost, CostTable, checked_cost
from nas.tree.partition import Group, Partition, canonical_partition, check_names, check_refines, short_list
from nas.tree.quantities import plain_quantity

if TYPE_CHECKING:
    import networkx as nx

SCHEMA_VERSION = 1
FIELDS = ("schema_version", "tasks", "blocks", "partitions", "cost")
"""Fields of a tree's record; blocks and cost may be missing."""


@dataclass(frozen=True, eq=False, repr=False)
class BranchTree(Displayed):
    """L partitions of the tasks, each refining the one before (what has split stays split).

    The value is canonical: groups and the tasks in them are kept in the order of ``tasks``, whatever order
    they were given in. Two trees are equal if they have the same set of tasks and the same partitions; the
    order of the tasks, the names of the blocks and the costs do not count.

    Args:
        tasks: names of the T tasks, each once.
        partitions: for each of the L blocks the groups of tasks that share one instance of it.
        blocks: names of the L blocks; ``block0``, ``block1``, ... if left out.
        cost: what the whole tree costs, by resource (``{"macs": ..., "params": ...}``), if known.

    Raises:
        InputError: tasks are doubled, unknown or missing, or a partition does not refine the one before.
    """

    picture: ClassVar[str | None] = "tree"

    tasks: tuple[str, ...]
    partitions: tuple[Partition, ...]
    blocks: tuple[str, ...] = ()
    cost: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        tasks = tuple(self.tasks)
        check_names(tasks, "task")
        if not tasks:
            raise InputError("a tree needs at least one task; found none")
        if not self.partitions:
            raise InputError("a tree needs at least one block; found no partitions")
        blocks = tuple(self.blocks) or tuple(f"block{l}" for l in range(len(self.partitions)))
        check_names(blocks, "block")
        if len(blocks) != len(self.partitions):
            raise InputError(
                f"a tree needs one name per block; found {len(self.partitions)} partitions, names {short_list(blocks)}"
            )
        partitions = tuple(
            canonical_partition(tasks, partition, name) for partition, name in zip(self.partitions, blocks, strict=True)
        )
        for l in range(1, len(partitions)):
            check_refines(partitions[l - 1], partitions[l], blocks[l - 1], blocks[l])
        object.__setattr__(self, "tasks", tasks)
        object.__setattr__(self, "partitions", partitions)
        object.__setattr__(self, "blocks", blocks)
        object.__setattr__(self, "cost", None if self.cost is None else checked_cost(self.cost, "cost"))

    @classmethod
    def from_choices(
        cls,
        tasks: Sequence[str],
        choices_LT: Iterable[Iterable[int]],
        blocks: Sequence[str] | None = None,
    ) -> "BranchTree":
        """The tree that a discrete routing describes.

        Two tasks are in one group at block l iff their choices agree at every block up to l. So any integer matrix
        describes a valid tree, and many matrices describe the same tree.

        Args:
            tasks: T task names.
            choices_LT: candidate index per block and task, [L, T]; nested sequences, an array or a tensor.
            blocks: L names.
        """
        tasks = tuple(tasks)
        paths: list[tuple[int, ...]] = [()] * len(tasks)
        partitions = []
        for l, row in enumerate(choices_LT):
            choices = [operator.index(choice) for choice in row]
            if len(choices) != len(tasks):
                raise InputError(f"block {l} has {len(choices)} choices for {len(tasks)} tasks")
            paths = [(*path, choice) for path, choice in zip(paths, choices, strict=True)]
            groups: dict[tuple[int, ...], list[str]] = {}
            for task, path in zip(tasks, paths, strict=True):
                groups.setdefault(path, []).append(task)
            partitions.append(tuple(tuple(group) for group in groups.values()))
        return cls(tasks, tuple(partitions), tuple(blocks or ()))

    @classmethod
    def shared(cls, tasks: Sequence[str], num_blocks: int) -> "BranchTree":
        """All tasks share every block: the cheapest tree."""
        return cls(tuple(tasks), ((tuple(tasks),),) * num_blocks)

    @classmethod
    def separate(cls, tasks: Sequence[str], num_blocks: int) -> "BranchTree":
        """Every task has its own instance of every block: the most expensive tree (tasks still share the stem)."""
        return cls(tuple(tasks), (tuple((task,) for task in tasks),) * num_blocks)

    @property
    def num_groups(self) -> tuple[int, ...]:
        """Number of groups at each of the L blocks."""
        return tuple(len(partition) for partition in self.partitions)

    @property
    def choices_LT(self) -> tuple[tuple[int, ...], ...]:
        """One discrete routing that describes this tree: the index of each task's group, [L, T]."""
        return tuple(
            tuple(next(i for i, group in enumerate(partition) if task in group) for task in self.tasks)
            for partition in self.partitions
        )

    @property
    def id(self) -> str:
        """Eight hexadecimal digits of the identity; equal trees have equal ids."""
        identity = [sorted(sorted(group) for group in partition) for partition in self.partitions]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:8]

    def summary(self) -> str:
        cost = "".join(f", {plain_quantity(amount, name)}" for name, amount in (self.cost or {}).items())
        return f"{self.id}: {len(self.tasks)} tasks, {'-'.join(map(str, self.num_groups))} groups{cost}"

    def records(self) -> list[dict[str, Any]]:
        """A line for each group of each block: the block, its tasks, and how many there are."""
        return [
            {"block": name, "tasks": ", ".join(group), "num_tasks": len(group)}
            for name, partition in zip(self.blocks, self.partitions, strict=True)
            for group in partition
        ]

    def _repr_html_(self) -> str:
        return self._repr_svg_() or super()._repr_html_()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BranchTree):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def _identity(self) -> tuple[frozenset[frozenset[str]], ...]:
        return tuple(frozenset(frozenset(group) for group in partition) for partition in self.partitions)

    def parent_group(self, block: int, group: Group) -> Group | None:
        """The group of the block before that ``group`` is part of; None at block 0 (its parent is the stem)."""
        if block == 0:
            return None
        return next(parent for parent in self.partitions[block - 1] if group[0] in parent)

    def restricted_to(self, tasks: Sequence[str]) -> "BranchTree":
        """The sub-tree that only these tasks need (their order is kept)."""
        unknown = [task for task in tasks if task not in self.tasks]
        if unknown:
            raise InputError(no_such("task", unknown[0], self.tasks))
        partitions = tuple(
            tuple(kept for group in partition if (kept := tuple(t for t in group if t in tasks)))
            for partition in self.partitions
        )
        return BranchTree(tuple(tasks), partitions, self.blocks)

    def with_cost(self, table: CostTable) -> "BranchTree":
        """The same tree with the blocks' names and the cost that a table gives it."""
        return BranchTree(self.tasks, self.partitions, table.block_names, table.tree_cost(self))

    def graph(self, table: CostTable | None = None) -> "nx.DiGraph[Any]":
        """The tree as a networkx arborescence from ``"stem"`` through ``(block name, group)`` to ``("head", task)``.

        Nodes carry ``kind`` ("stem", "block" or "head"), ``block`` (index; -1 for the stem, L for heads),
        ``tasks`` and, with a table, each resource of their cost as an attribute (``macs``, ``params``).
        """
        import networkx as nx

        graph: nx.DiGraph[Any] = nx.DiGraph()
        graph.add_node("stem", kind="stem", block=-1, tasks=self.tasks, **(dict(table.stem) if table else {}))
        for l, (name, partition) in enumerate(zip(self.blocks, self.partitions, strict=True)):
            for group in partition:
                cost: Cost = table.blocks[l] if table else {}
                graph.add_node((name, group), kind="block", block=l, tasks=group, **cost)
                parent = self.parent_group(l, group)
                graph.add_edge("stem" if parent is None else (self.blocks[l - 1], parent), (name, group))
        for group in self.partitions[-1]:
            for task in group:
                cost = table.heads[task] if table else {}
                graph.add_node(("head", task), kind="head", block=len(self.blocks), tasks=(task,), **cost)
                graph.add_edge((self.blocks[-1], group), ("head", task))
        return graph

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as in a tree file (`nas.tree.tree_file`); its fields are those of `FIELDS`."""
        record: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "tasks": list(self.tasks),
            "blocks": list(self.blocks),
            "partitions": [[list(group) for group in partition] for partition in self.partitions],
        }
        if self.cost is not None:
            record["cost"] = dict(self.cost)
        return record

    @classmethod
    def from_dict(cls, record: Any) -> "BranchTree":
        """The inverse of `to_dict`; an InputError says what is wrong with a malformed record."""
        if not isinstance(record, dict):
            raise InputError(f"a tree is a JSON object; found {brief(record)}")
        if type(version := record.get("schema_version")) is not int or version != SCHEMA_VERSION:
            raise InputError(f"schema_version must be {SCHEMA_VERSION}; found {brief(version)}")
        if unknown := [field for field in record if field not in FIELDS]:
            raise InputError(f"unknown fields {short_list(unknown)} in a tree; it has {list(FIELDS)}")
        tasks = _strings(record.get("tasks"), "tasks")
        blocks = _strings(record.get("blocks", []), "blocks")
        partitions = record.get("partitions")
        if not isinstance(partitions, list) or not all(isinstance(partition, list) for partition in partitions):
            raise InputError(f"partitions must be a list of groups per block; found {brief(partitions)}")
        _check_size(tasks, partitions)
        groups = tuple(
            tuple(_strings(group, f"partitions[{l}][{i}]") for i, group in enumerate(partition))
            for l, partition in enumerate(partitions)
        )
        return cls(tasks, groups, blocks, record.get("cost"))


def _check_size(tasks: Group, partitions: list[list[Any]]) -> None:
    """InputError for a record that is larger than any network (`nas.limits`)."""
    parts = len(tasks) + sum(map(len, partitions))
    for found, most, what in (
        (len(tasks), MOST_TASKS, "tasks"),
        (len(partitions), MOST_BLOCKS, "blocks"),
        (parts, MOST_PARTS, "parts (groups and heads)"),
    ):
        if found > most:
            raise InputError(f"a tree of {found} {what}; {most} are the most that are read")


def _strings(value: Any, field: str) -> Group:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(f"{field} must be a list of strings; found {brief(value)}")
    return tuple(value)
