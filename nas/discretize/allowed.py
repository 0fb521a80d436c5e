"""Constraints, translated into the partitions that each block may have."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nas.discretize.constraints import Constraints
from nas.discretize.lattice import Floats, Ints, Lattice
from nas.errors import InputError
from nas.tree import BranchTree, CostTable

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Allowed:
    """Constraints as conditions on the partition of each single block, so that dynamic programming can use a mask.

    Tasks that have split stay split. So "they share through block b" means "they are in one group at blocks 0, ..., b",
    and "no two share from block b on" means "they are in different groups at blocks b, ..., L-1". A task that is alone
    stays alone, so the blocks that it alone uses are the last ones. Let f be the first block such that the head and
    blocks f, ..., L-1 together stay within the task's limit. Then "the task adds at most its limit" means "it is not
    alone at blocks 0, ..., f-1".

    Args:
        together_LTT: pairs that must be in one group; symmetric, closed under transitivity.
        apart_LTT: pairs that must be in different groups; symmetric.
        accompanied_LT: tasks that must not be alone.
        most_groups_L: the greatest number of groups.
    """

    together_LTT: Bools
    apart_LTT: Bools
    accompanied_LT: Bools
    most_groups_L: Ints

    @classmethod
    def of(
        cls,
        constraints: Constraints,
        tasks: Sequence[str],
        table: CostTable,
        resource: str,
        most_groups: Sequence[int] | None = None,
    ) -> "Allowed":
        """Constraints on the trees over some tasks.

        Args:
            most_groups: as in `discretize`.

        Raises:
            InputError: a task or block that is not there, a pair that must be both together and apart, or a limit on
                what a task adds that its head alone exceeds.
        """
        num_blocks, num_tasks = len(table.blocks), len(tasks)
        _check_names(constraints, tasks, num_blocks)
        place = {task: t for t, task in enumerate(tasks)}
        together_LTT, apart_LTT = np.zeros((2, num_blocks, num_tasks, num_tasks), np.bool_)
        together_LTT[: constraints.shared_prefix] = True
        for together in constraints.together:
            stop = num_blocks if together.through_block is None else together.through_block + 1
            pairs = np.ix_(range(stop), *[[place[task] for task in together.tasks]] * 2)
            together_LTT[pairs] = True
        for apart in constraints.apart:
            pairs = np.ix_(range(apart.from_block, num_blocks), *[[place[task] for task in apart.tasks]] * 2)
            apart_LTT[pairs] = True
        itself_TT = np.eye(num_tasks, dtype=np.bool_)
        together_LTT, apart_LTT = _closed(together_LTT | itself_TT), apart_LTT & ~itself_TT
        if (clash := np.argwhere(together_LTT & apart_LTT)).size:
            block, s, t = clash[0]
            raise InputError(
                f"constraints: {tasks[s]} and {tasks[t]} must share block {block} and must not share it; "
                "drop one of the two, or let it end or begin at another block"
            )
        accompanied_LT = np.zeros((num_blocks, num_tasks), np.bool_)
        for task, limit in constraints.own_cost.items():
            accompanied_LT[: _first_affordable(task, limit, table, resource), place[task]] = True
        most = [num_tasks] * num_blocks if most_groups is None else [min(most, num_tasks) for most in most_groups]
        return cls(together_LTT, apart_LTT, accompanied_LT, np.array(most, np.int64))

    def mask(self, lattice: Lattice) -> Bools:
        """Whether each block may have each partition, [L, P]."""
        labels_PT = lattice.labels_PT
        together_PTT = labels_PT[:, :, None] == labels_PT[:, None, :]
        alone_PT = together_PTT.sum(axis=2) == 1
        parted = _any_both(self.together_LTT, ~together_PTT)
        joined = _any_both(self.apart_LTT, together_PTT)
        too_many = lattice.num_groups_P > self.most_groups_L[:, None]
        return ~(parted | joined | too_many | _any_both(self.accompanied_LT, alone_PT))


def keeps_constraints(tree: BranchTree, constraints: Constraints, table: CostTable, resource: str) -> bool:
    """Whether a tree keeps constraints; InputError as for `Allowed.of`."""
    lattice = Lattice(np.array(tree.choices_LT), covers=np.empty((0, 2), np.int64))
    return bool(Allowed.of(constraints, tree.tasks, table, resource).mask(lattice).diagonal().all())


def own_costs(task: str, table: CostTable, resource: str) -> Floats:
    """The cost of a task's own blocks and head if it is alone from block 0, 1, ..., L on (L means never), [L + 1]."""
    costs = [table.heads[task][resource], *(block[resource] for block in reversed(table.blocks))]
    return np.cumsum(np.array(costs, np.float64))[::-1]


def _first_affordable(task: str, limit: float, table: CostTable, resource: str) -> int:
    amount = limit * table.single_task_cost(task)[resource] if limit <= 1.0 else limit
    costs = own_costs(task, table, resource)
    # A user who adds up the costs in another order means the same limit.
    affordable = np.flatnonzero(costs <= amount * (1.0 + 1e-12))
    if affordable.size == 0:
        raise InputError(
            f"constraints.own_cost: {task} may add {amount:.6g} {resource}, but its head alone costs {costs[-1]:.15g}; "
            "allow at least that"
        )
    return int(affordable[0])


def _check_names(constraints: Constraints, tasks: Sequence[str], num_blocks: int) -> None:
    named: Iterable[str] = [
        *(task for group in (*constraints.together, *constraints.apart) for task in group.tasks),
        *constraints.own_cost,
    ]
    if unknown := sorted({task for task in named if task not in tasks}):
        raise InputError(f"constraints: there are no tasks {unknown}; the tasks are {list(tasks)}")
    blocks = {f"together {list(g.tasks)}: through_block": g.through_block for g in constraints.together}
    blocks |= {f"apart {list(g.tasks)}: from_block": g.from_block for g in constraints.apart}
    for where, block in blocks.items():
        if block is not None and block >= num_blocks:
            raise InputError(f"constraints.{where} is {block}; the blocks are 0 to {num_blocks - 1}")
    if constraints.shared_prefix > num_blocks:
        raise InputError(f"constraints.shared_prefix is {constraints.shared_prefix}; there are {num_blocks} blocks")


def _closed(pairs_LTT: Bools) -> Bools:
    """The transitive closure of a reflexive, symmetric relation."""
    while True:
        wider_LTT = (pairs_LTT.astype(np.float32) @ pairs_LTT.astype(np.float32)) > 0
        if np.array_equal(wider_LTT, pairs_LTT):
            return wider_LTT
        pairs_LTT = wider_LTT


def _any_both(rule: Bools, found: Bools) -> Bools:
    """Whether any entry is true in both, for each block and each partition, [L, P]."""
    rule_LN, found_PN = rule.reshape(len(rule), -1), found.reshape(len(found), -1)
    both_LP: Bools = rule_LN.astype(np.float32) @ found_PN.astype(np.float32).T > 0
    return both_LP
