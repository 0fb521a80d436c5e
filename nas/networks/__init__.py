"""Networks: backbones, the supernet that a search trains, and the branched network of a tree.

- `nas.networks.backbone`: the protocol of a backbone (stem, blocks, taps, heads), which any object can satisfy.
- `nas.networks.supernet`: C candidates of every block, mixed by a routing that is an argument of the forward pass.
- `nas.networks.branched`: the network of one branch tree, in which each group has its own instance of a block.

All parts come from the same backbone, so a search and the network that it finds consist of the same modules.

>>> import torch
>>> from torch import nn
>>> from nas.networks.branched import BranchedNetwork
>>> from nas.networks.supernet import Supernet, own_copy_routing
>>> from nas.tasks import Task
>>> from nas.tree import BranchTree
>>> class Head(nn.Linear):
...     def forward(self, features, size):
...         return super().forward(features[-1].mean((2, 3)))
>>> class Small:
...     num_blocks, taps = 2, (1,)
...     def make_stem(self):
...         return nn.Conv2d(3, 8, 3)
...     def make_block(self, l):
...         return nn.Conv2d(8, 8, 1)
...     def make_head(self, task):
...         return Head(8, task.num_outputs)
>>> tasks = [Task(name=name, num_outputs=1, loss="l1", metrics=("mae",)) for name in ("left", "right")]
>>> images = torch.rand(4, 3, 8, 8)
>>> supernet = Supernet(Small(), tasks, num_candidates=2)
>>> {name: tuple(output.shape) for name, output in supernet(images, own_copy_routing(2, 2, 2)).items()}
{'left': (4, 1), 'right': (4, 1)}
>>> network = BranchedNetwork(Small(), tasks, BranchTree.from_choices(["left", "right"], [[0, 0], [0, 1]]))
>>> [len(block) for block in network.blocks]
[1, 2]

Start with `nas/networks/backbone/README.md`, which says what a backbone's parts may be.
"""
