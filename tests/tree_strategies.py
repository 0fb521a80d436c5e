"""Hypothesis strategies for trees and cost tables."""

from hypothesis import strategies as st

from nas.tree import BranchTree, CostTable

NAMES = ("semseg", "depth", "normals", "edge", "saliency", "human_parts")


@st.composite
def choices(draw, num_tasks, num_blocks):
    row = st.lists(st.integers(0, num_tasks - 1), min_size=num_tasks, max_size=num_tasks)
    return draw(st.lists(row, min_size=num_blocks, max_size=num_blocks))


@st.composite
def trees(draw, tasks=None, num_blocks=None):
    tasks = tasks or draw(st.permutations(NAMES[: draw(st.integers(1, 6))]))
    num_blocks = num_blocks or draw(st.integers(1, 5))
    return BranchTree.from_choices(tasks, draw(choices(len(tasks), num_blocks)))


@st.composite
def comparable_trees(draw, count):
    """Several trees over the same tasks (each in its own order) and the same number of blocks."""
    tasks = NAMES[: draw(st.integers(1, 6))]
    num_blocks = draw(st.integers(1, 5))
    return [draw(trees(draw(st.permutations(tasks)), num_blocks)) for _ in range(count)]


@st.composite
def tables(draw, tasks, num_blocks, amounts=None):
    amounts = st.integers(0, 10**12) if amounts is None else amounts
    cost = st.fixed_dictionaries({"macs": amounts, "params": amounts})
    return CostTable(
        draw(cost),
        tuple(draw(cost) for _ in range(num_blocks)),
        {task: draw(cost) for task in tasks},
        tuple(f"stage{l}" for l in range(num_blocks)),
    )


@st.composite
def trees_with_tables(draw):
    tree = draw(trees())
    return tree, draw(tables(tree.tasks, len(tree.partitions)))
