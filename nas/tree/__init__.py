"""Branch trees as values: which tasks share which blocks, without any network."""

from nas.tree.branch_tree import BranchTree, Group, Partition
from nas.tree.cost_table import Cost, CostTable

__all__ = ["BranchTree", "Cost", "CostTable", "Group", "Partition"]
