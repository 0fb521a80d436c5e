"""The branch tree: which tasks share which blocks."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx

from nas.errors import InputError
from nas.tree.cost_table import Cost, CostTable

Group = tuple[str, ...]
Partition = tuple[Group, ...]

SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False)
class BranchTree:
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

    tasks: tuple[str, ...]
    partitions: tuple[Partition, ...]
    blocks: tuple[str, ...] = ()
    cost: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        tasks = tuple(self.tasks)
        if not tasks or len(set(tasks)) < len(tasks) or not all(isinstance(t, str) and t for t in tasks):
            raise InputError(f"a tree needs distinct, non-empty task names; found {list(tasks)}")
        if not self.partitions:
            raise InputError("a tree needs at least one block; found no partitions")
        blocks = tuple(self.blocks) or tuple(f"block{l}" for l in range(len(self.partitions)))
        if len(blocks) != len(self.partitions) or len(set(blocks)) < len(blocks):
            raise InputError(
                f"a tree needs one distinct name per block: {len(self.partitions)} partitions, names {list(blocks)}"
            )
        partitions = tuple(
            _canonical(tasks, partition, name) for partition, name in zip(self.partitions, blocks, strict=True)
        )
        for l in range(1, len(partitions)):
            _check_refines(partitions[l - 1], partitions[l], blocks[l - 1], blocks[l])
        object.__setattr__(self, "tasks", tasks)
        object.__setattr__(self, "partitions", partitions)
        object.__setattr__(self, "blocks", blocks)
        object.__setattr__(self, "cost", None if self.cost is None else dict(self.cost))

    @classmethod
    def from_choices(
        cls,
        tasks: Sequence[str],
        choices_LT: Iterable[Iterable[int]],
        blocks: Sequence[str] | None = None,
    ) -> "BranchTree":
        """The tree that a discrete routing describes.

        Two tasks are in one group at block l iff their choices agree at every block up to l, so any integer
        matrix is a valid tree, and many matrices are the same tree (DESIGN.md, section 3).

        Args:
            tasks: T task names.
            choices_LT: candidate index per block and task, [L, T]; nested sequences, an array or a tensor.
            blocks: L names.
        """
        tasks = tuple(tasks)
        paths: list[tuple[int, ...]] = [()] * len(tasks)
        partitions = []
        for l, row in enumerate(choices_LT):
            choices = [int(choice) for choice in row]
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
        """Every task has its own instance of every block: the dearest tree (they still share the stem)."""
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
            raise InputError(f"the tree has no tasks {unknown}; its tasks are {list(self.tasks)}")
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
        """Plain data, as in a tree file (DESIGN.md, section 5)."""
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
        """The inverse of `to_dict`; every way a record can be malformed is an InputError that says which."""
        if not isinstance(record, dict):
            raise InputError(f"a tree is a JSON object; found {type(record).__name__}")
        if (version := record.get("schema_version")) != SCHEMA_VERSION:
            raise InputError(f"schema_version must be {SCHEMA_VERSION}; found {version!r}")
        if unknown := sorted(set(record) - {"schema_version", "tasks", "blocks", "partitions", "cost"}):
            raise InputError(f"unknown fields {unknown} in a tree")
        tasks = _strings(record.get("tasks"), "tasks")
        blocks = _strings(record.get("blocks", []), "blocks")
        partitions = record.get("partitions")
        if not isinstance(partitions, list) or not all(isinstance(p, list) for p in partitions):
            raise InputError("partitions must be a list with a list of groups per block")
        groups = tuple(
            tuple(_strings(group, f"partitions[{l}][{i}]") for i, group in enumerate(partition))
            for l, partition in enumerate(partitions)
        )
        return cls(tasks, groups, blocks, _cost(record.get("cost")))


def _strings(value: Any, field: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InputError(f"{field} must be a list of strings; found {str(value)[:80]}")
    return tuple(value)


def _cost(value: Any) -> dict[str, float] | None:
    if value is None:
        return None
    numbers = isinstance(value, dict) and all(
        isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) and v >= 0 for v in value.values()
    )
    if not numbers:
        raise InputError(f"cost must map each resource to a number >= 0; found {str(value)[:80]}")
    return dict(value)


def _canonical(tasks: tuple[str, ...], partition: Iterable[Iterable[str]], block: str) -> Partition:
    groups = [list(group) for group in partition]
    members = [task for group in groups for task in group]
    if unknown := sorted({str(task) for task in members if task not in tasks}):
        raise InputError(f"block {block} names unknown tasks {unknown}; the tree's tasks are {list(tasks)}")
    if missing := [task for task in tasks if task not in members]:
        raise InputError(f"block {block} leaves out the tasks {missing}; every task is in one group of every block")
    if doubled := [task for task in tasks if members.count(task) > 1]:
        raise InputError(f"block {block} has the tasks {doubled} in more than one group")
    if not all(groups):
        raise InputError(f"block {block} has an empty group")
    position = {task: i for i, task in enumerate(tasks)}
    ordered = (tuple(sorted(group, key=position.__getitem__)) for group in groups)
    return tuple(sorted(ordered, key=lambda group: position[group[0]]))


def _check_refines(coarse: Partition, fine: Partition, coarse_block: str, fine_block: str) -> None:
    for group in fine:
        parents = [parent for parent in coarse if set(parent) & set(group)]
        if len(parents) > 1:
            raise InputError(
                f"block {fine_block} joins {list(group)}, which block {coarse_block} has split into "
                f"{[list(parent) for parent in parents]}; tasks that have parted stay apart"
            )
