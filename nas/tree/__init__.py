"""Branch trees as values: which tasks share which blocks. No network is needed.

A `BranchTree` is L partitions of the tasks, each refining the one before. It is canonical: two trees are equal, and
have equal hashes, if the same tasks share the same blocks, whatever routing described them. A `CostTable` holds the
costs of a backbone's parts, from which the cost of a tree follows.

>>> from nas.tree import BranchTree, CostTable, describe_difference, distance, render_text
>>> tasks = ["semseg", "depth", "edge"]
>>> tree = BranchTree.from_choices(tasks, [[0, 0, 0], [0, 0, 1], [0, 0, 1]])
>>> tree.partitions[1]
(('semseg', 'depth'), ('edge',))
>>> block, head = {"macs": 2_000_000}, {"macs": 310_000}
>>> table = CostTable(stem=head, blocks=(block,) * 3, heads=dict.fromkeys(tasks, head), block_names=("a", "b", "c"))
>>> from nas.cost import format_quantity
>>> print(render_text(tree, table, in_words=format_quantity))
stem                         310 kMACs
└─ a  semseg, depth, edge      2 MMACs
   ├─ b-c  semseg, depth       4 MMACs
   │  ├─ head semseg         310 kMACs
   │  └─ head depth          310 kMACs
   └─ b-c  edge                4 MMACs
      └─ head edge           310 kMACs
total                       11.2 MMACs
share of separate networks      56.6 %

The package also has:

- all trees and their number: `enumerate_trees`, `count_trees`, based on `set_partitions` and `refinements`;
- random trees of any cost (`random_tree_shape`) or of a given cost (`random_tree`), to compare a search with chance;
- the difference of two trees, as a metric (`distance`) and in words (`describe_difference`), and how many trees agree
  with each split of one (`split_agreement`);
- choices of parents, which describe trees in another way (`tree_from_parents`, `parents_of`);
- tree files (`read_tree`, `write_tree`).

>>> later = BranchTree.from_choices(tasks, [[0, 0, 0], [0, 0, 0], [0, 0, 1]])
>>> describe_difference(tree, later)
['semseg and depth part from edge at block1 in the first tree, at block2 in the second']
>>> round(distance(tree, later), 3)
0.222
"""

from nas.tree.agreement import SplitAgreement, split_agreement
from nas.tree.branch_tree import BranchTree
from nas.tree.cost_table import CostTable
from nas.tree.difference import describe_difference, distance
from nas.tree.enumeration import IndexPartition, count_trees, enumerate_trees, refinements, set_partitions
from nas.tree.parents import ancestors, parents_of, tree_from_parents
from nas.tree.partition import Group, Partition
from nas.tree.random_trees import random_tree, random_tree_shape
from nas.tree.recovery import recovery
from nas.tree.text_rendering import render_text
from nas.tree.tree_file import read_tree, write_tree

__all__ = [
    "BranchTree",
    "CostTable",
    "Group",
    "IndexPartition",
    "Partition",
    "SplitAgreement",
    "ancestors",
    "count_trees",
    "describe_difference",
    "distance",
    "enumerate_trees",
    "parents_of",
    "random_tree",
    "random_tree_shape",
    "read_tree",
    "recovery",
    "refinements",
    "render_text",
    "set_partitions",
    "split_agreement",
    "tree_from_parents",
    "write_tree",
]
