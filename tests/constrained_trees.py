"""Small problems of discretisation under constraints, and their constraints and objective word for word."""

import itertools

import numpy as np
from hypothesis import strategies as st

from nas.discretize import Constraints
from nas.tree import BranchTree, CostTable


def table(block_costs, tasks, stem: float = 7, head: float = 3) -> CostTable:
    names = tuple(f"b{l}" for l in range(len(block_costs)))
    return CostTable({"macs": stem}, tuple({"macs": c} for c in block_costs), {t: {"macs": head} for t in tasks}, names)


def random_dissimilarity(num_blocks: int, num_tasks: int, seed: int) -> np.ndarray:
    raw_LTT = np.random.default_rng(seed).normal(size=(num_blocks, num_tasks, num_tasks))
    return (raw_LTT + raw_LTT.swapaxes(1, 2)) / 2


def value_of(tree: BranchTree, tasks, dissimilarity_LTT) -> float:
    """The objective, word for word."""
    index = {task: t for t, task in enumerate(tasks)}
    return sum(
        sum(dissimilarity_LTT[l][index[s]][index[t]] for s, t in itertools.combinations(group, 2)) / len(group)
        for l, partition in enumerate(tree.partitions)
        for group in partition
    )


def keeps(tree: BranchTree, constraints: Constraints, costs: CostTable) -> bool:
    """The constraints, word for word."""
    num_blocks = len(tree.partitions)

    def shares(l, s, t):
        return any(s in group and t in group for group in tree.partitions[l])

    def adds(task):
        alone = [costs.blocks[l]["macs"] for l in range(num_blocks) if (task,) in tree.partitions[l]]
        return sum(alone) + costs.heads[task]["macs"]

    def limit(task, amount):
        return amount * costs.single_task_cost(task)["macs"] if amount <= 1 else amount

    return (
        all(
            shares(l, *pair)
            for group in constraints.together
            for pair in itertools.combinations(group.tasks, 2)
            for l in range(num_blocks if group.through_block is None else group.through_block + 1)
        )
        and all(
            not shares(l, *pair)
            for group in constraints.apart
            for pair in itertools.combinations(group.tasks, 2)
            for l in range(group.from_block, num_blocks)
        )
        and all(len(partition) == 1 for partition in tree.partitions[: constraints.shared_prefix])
        # Costs are small whole numbers and shares have three digits, so rounding decides nothing below 1e-9.
        and all(adds(task) <= limit(task, amount) + 1e-9 for task, amount in constraints.own_cost.items())
    )


@st.composite
def constrained(draw, max_tasks: int = 4):
    """Tasks, costs and constraints, which may contradict each other."""
    tasks = tuple("abcdefghij"[: draw(st.integers(1, max_tasks))])
    costs = table(draw(st.lists(st.integers(0, 5), min_size=1, max_size=4)), tasks)
    num_blocks = len(costs.blocks)

    def groups(field):
        if len(tasks) < 2:
            return st.just([])
        group = st.lists(st.sampled_from(tasks), min_size=2, max_size=3, unique=True)
        return st.lists(st.fixed_dictionaries({"tasks": group, field: st.integers(0, num_blocks - 1)}), max_size=2)

    amounts = st.one_of(st.integers(1, 1000).map(lambda n: n / 1000), st.integers(4, 15).map(float))
    constraints = Constraints(
        together=draw(groups("through_block")),
        apart=draw(groups("from_block")),
        shared_prefix=draw(st.integers(0, 1)),
        own_cost=draw(st.dictionaries(st.sampled_from(tasks), amounts, max_size=2)),
    )
    return tasks, costs, constraints
