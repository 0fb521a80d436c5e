"""How two trees differ: as a number, and in words."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from nas.errors import InputError
from nas.tree.branch_tree import BranchTree
from nas.tree.partition import short_list

if TYPE_CHECKING:
    import networkx as nx

Pair = tuple[str, str]


def distance(a: BranchTree, b: BranchTree) -> float:
    """The share of all (block, pair of tasks) for which two trees disagree whether the pair shares the block.

    Tasks that have split stay split. So with n(s, t) the number of blocks that s and t share,

        distance = mean over pairs s < t of |n_a(s, t) - n_b(s, t)| / L,

    which is the mean over the blocks of 1 - Rand index. It is a metric, in [0, 1]: 0 only for equal trees, 1 for
    fully shared against fully separate.

    Raises:
        InputError: the trees differ in their tasks or numbers of blocks.

    >>> shared, separate = BranchTree.shared(["a", "b"], 4), BranchTree.separate(["a", "b"], 4)
    >>> distance(shared, separate), distance(shared, BranchTree.from_choices(["a", "b"], [[0, 0]] * 3 + [[0, 1]]))
    (1.0, 0.25)
    """
    check_comparable(a, b)
    shared_a, shared_b = _num_shared(a, a.tasks), _num_shared(b, a.tasks)
    differing = sum(abs(shared_a[pair] - shared_b[pair]) for pair in shared_a)
    return differing / (len(a.partitions) * max(1, len(shared_a)))


def describe_difference(
    a: BranchTree, b: BranchTree, names: tuple[str, str] = ("the first tree", "the second")
) -> list[str]:
    """The difference of two trees in sentences, one for all pairs of tasks with the same difference; empty if equal.

    "part at block2" says that block2 is the first block that the tasks do not share. Sentences come in the order
    of the first block where the trees differ.

    Args:
        names: what the sentences call the trees.

    Raises:
        InputError: the trees differ in their tasks or numbers of blocks.

    >>> late = BranchTree.from_choices(["left", "right", "mean"], [[0, 0, 0], [0, 0, 0], [0, 1, 0]])
    >>> early = BranchTree.from_choices(["left", "right", "mean"], [[0, 0, 0], [0, 1, 0], [0, 1, 0]])
    >>> describe_difference(late, early)
    ['left and mean part from right at block2 in the first tree, at block1 in the second']
    >>> describe_difference(late, BranchTree.shared(["left", "right", "mean"], 3))
    ['left and mean part from right at block2 in the first tree, share every block in the second']
    """
    check_comparable(a, b)
    shared_a, shared_b = _num_shared(a, a.tasks), _num_shared(b, a.tasks)
    import networkx as nx

    alike: dict[tuple[int, int], list[Pair]] = {}
    for pair, in_a in shared_a.items():
        if (in_b := shared_b[pair]) != in_a:
            alike.setdefault((in_a, in_b), []).append(pair)
    sentences = []
    for in_a, in_b in sorted(alike, key=lambda counts: (min(counts), counts)):
        block_a, block_b = (*a.blocks, None)[in_a], (*b.blocks, None)[in_b]
        for tasks, others in _products(nx.Graph(alike[in_a, in_b]), a.tasks):
            subject = f"all {len(tasks)} tasks" if len(tasks) == len(a.tasks) > 3 else listed(tasks)
            verb_ending = "s" if len(tasks) == 1 else ""
            sentences.append(f"{subject} {_predicate(listed(others), block_a, block_b, verb_ending, names)}")
    return sentences


def check_comparable(a: BranchTree, b: BranchTree) -> None:
    """InputError unless two trees have the same tasks and number of blocks."""
    if set(a.tasks) != set(b.tasks):
        raise InputError(
            f"trees can be compared over the same tasks; the first has {short_list(a.tasks)}, "
            f"the second {short_list(b.tasks)}"
        )
    if len(a.partitions) != len(b.partitions):
        raise InputError(
            f"trees can be compared over the same number of blocks; the first has {len(a.partitions)}, "
            f"the second {len(b.partitions)}"
        )


def _num_shared(tree: BranchTree, tasks: Sequence[str]) -> dict[Pair, int]:
    """For each pair of tasks, in the order given, the number of blocks that it shares."""
    paths = dict(zip(tree.tasks, zip(*tree.choices_LT, strict=True), strict=True))
    return {(s, t): sum(i == j for i, j in zip(paths[s], paths[t], strict=True)) for s, t in combinations(tasks, 2)}


def _products(graph: "nx.Graph[Any]", order: Sequence[str]) -> Iterator[tuple[list[str], list[str]]]:
    """A graph's edges, each once, as products of two sets of tasks; or one set and [] for all pairs in it."""
    import networkx as nx

    components = [[task for task in order if task in component] for component in nx.connected_components(graph)]
    for component in sorted((c for c in components if len(c) > 1), key=lambda tasks: order.index(tasks[0])):
        part = graph.subgraph(component)
        if part.number_of_edges() == len(component) * (len(component) - 1) // 2:
            yield component, []
            continue
        twins: dict[frozenset[str], list[str]] = {}
        for task in component:
            twins.setdefault(frozenset(part[task]), []).append(task)
        neighbours, tasks = max(twins.items(), key=lambda item: len(item[0]) * len(item[1]))
        yield tasks, [task for task in order if task in neighbours]
        yield from _products(part.subgraph([task for task in component if task not in tasks]), order)


def _predicate(others: str, block_a: str | None, block_b: str | None, s: str, names: tuple[str, str]) -> str:
    """What tasks do in both trees, among themselves or with ``others``; a block is None if they share every block."""
    if block_a is None:
        first = f"share{s} every block with {others}" if others else "share every block"
    else:
        first = f"part{s} from {others} at {block_a}" if others else f"part at {block_a}"
    if block_b is None:
        second = f"share{s} every block"
    else:
        second = f"part{s} at {block_b}" if block_a is None else f"at {block_b}"
    return f"{first} in {names[0]}, {second} in {names[1]}"


def listed(names: Sequence[str]) -> str:
    """``"a, b and c"``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
