"""Random trees of nearly each budget's cost, measured: the control of every search."""

import numpy as np
import torch

from nas.discretize import keeps_constraints
from nas.strategies.proposals.strategy import Proposals
from nas.strategies.proposals.turn import Turn
from nas.strategies.transfer.choice import spread_trees
from nas.tree import BranchTree, random_tree

_TOLERANCES = (0.02, 0.1, 0.5, 0.99)
"""How far a tree's cost may be below the budget, as a share; the next one if all trees drawn are known or break a
constraint."""

_DRAWS = 25
"""Draws with each tolerance."""

_PROGRAMMES = 10
"""Runs of the exact programme for one tree; with many tasks a run takes seconds."""


class RandomTrees(Proposals):
    """Measures random trees of nearly each budget's cost, and finds the best one.

    Trees have the probabilities of `nas.tree.random_tree`; those that are known or break a constraint are drawn again.
    If constraints leave so few trees that none of these draws keeps them, the trees are the best ones for random
    effects of sharing, by the exact programme.
    """

    def propose(self, turn: Turn) -> None:
        rng = np.random.default_rng(turn.seed)
        while turn.is_open:
            trees: list[BranchTree] = []
            while len(trees) < turn.batch and (tree := _draw(turn, turn.known.union(trees), rng)) is not None:
                trees.append(tree)
            if not trees:
                return
            turn.measure(trees)


def _draw(turn: Turn, known: set[BranchTree], rng: np.random.Generator) -> BranchTree | None:
    """A tree within the budget that is not known and keeps the constraints; None if no draw finds one."""
    problem = turn.problem
    names, table, resource = problem.task_names, problem.table, problem.goal.resource
    for tolerance in _TOLERANCES:
        for _ in range(_DRAWS):
            tree = random_tree(names, table, turn.limit, resource=resource, tolerance=tolerance, rng=rng)
            if tree not in known and keeps_constraints(tree, problem.goal.constraints, table, resource):
                return tree
    if problem.goal.constraints.empty:
        return None
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    found = (spread_trees(problem, [turn.limit], 1, generator)[0] for _ in range(_PROGRAMMES))
    return next((tree for tree in found if tree not in known), None)
