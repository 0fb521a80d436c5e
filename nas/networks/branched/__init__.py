"""The branched network, which a branch tree describes: the network that is retrained, evaluated and exported.

`BranchedNetwork` has one stem, one instance of block l for each group at block l, and one head per task. Asked for
some tasks only, it runs only the blocks that they need. `sub_network` makes a network for some of the tasks from the
same modules, without copying weights; `check_fits` says whether a tree and a backbone belong together.

>>> from nas.networks.branched import check_fits
>>> from nas.tree import BranchTree
>>> tree = BranchTree.from_choices(["left", "right"], [[0, 0], [0, 1]])
>>> check_fits(tree, num_blocks=3, tasks=["left", "right"])
Traceback (most recent call last):
...
nas.errors.InputError: the tree has 2 blocks, the backbone 3

Start with `nas.networks.branched.branched`; `nas.networks` has an example with a network.
"""

from nas.networks.branched.branched import BranchedNetwork, check_fits
from nas.networks.branched.sub_network import sub_network

__all__ = ["BranchedNetwork", "check_fits", "sub_network"]
