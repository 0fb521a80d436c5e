"""Partitions of tasks into groups: their canonical form, and whether one refines another."""

import reprlib
from collections import Counter
from collections.abc import Iterable, Sequence

from nas.errors import InputError

Group = tuple[str, ...]
Partition = tuple[Group, ...]


def check_names(names: Sequence[str], kind: str) -> None:
    """InputError unless all are distinct and non-empty strings that print on one line."""
    if odd := [name for name in names if not isinstance(name, str) or not name or not name.isprintable()]:
        raise InputError(f"a {kind}'s name must be printable text; found {short_list(odd)}")
    if doubled := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"a {kind}'s name must occur once; found {short_list(doubled)} more than once")


def canonical_partition(tasks: Sequence[str], partition: Iterable[Iterable[str]], block: str) -> Partition:
    """The partition with groups and their members in the order of ``tasks``; InputError unless each is in one group."""
    groups = [tuple(group) for group in partition]
    count = Counter(task for group in groups for task in group)
    position = {task: i for i, task in enumerate(tasks)}
    if unknown := [task for task in count if task not in position]:
        raise InputError(
            f"block {block!r} names unknown tasks {short_list(unknown)}; the tree's tasks are {short_list(tasks)}"
        )
    if missing := [task for task in tasks if task not in count]:
        raise InputError(
            f"block {block!r} leaves out the tasks {short_list(missing)}; every task is in one group of every block"
        )
    if doubled := [task for task in tasks if count[task] > 1]:
        raise InputError(f"block {block!r} has the tasks {short_list(doubled)} more than once")
    if not all(groups):
        raise InputError(f"block {block!r} has an empty group")
    ordered = (tuple(sorted(group, key=position.__getitem__)) for group in groups)
    return tuple(sorted(ordered, key=lambda group: position[group[0]]))


def check_refines(coarse: Partition, fine: Partition, coarse_block: str, fine_block: str) -> None:
    """InputError if a group of ``fine`` has tasks from several groups of ``coarse``."""
    parent_of = {task: parent for parent in coarse for task in parent}
    for group in fine:
        parents = list(dict.fromkeys(parent_of[task] for task in group))
        if len(parents) > 1:
            raise InputError(
                f"block {fine_block!r} joins {short_list(group)}, which block {coarse_block!r} has split into "
                f"{' and '.join(short_list(parent) for parent in parents[:3])}; tasks that have parted stay apart"
            )


def short_list(names: Iterable[object]) -> str:
    """A list for an error message, shortened so that it stays one line even for a million names."""
    return _REPR.repr(list(names))


_REPR = reprlib.Repr()
_REPR.maxlist = 12
_REPR.maxstring = 70
