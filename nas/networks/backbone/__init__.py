"""Backbones: the protocol, and how networks make and run a backbone's parts.

- `Backbone` is a protocol of five members; any object that has them is a backbone. README.md in this folder says what
  its parts may be.
- `PartMaker` makes the parts of one network, and refuses parts that share weights.
- `PartRunner` runs parts, and copies the input of a part that would overwrite it.
- `FrozenPrefix` is a backbone whose stem and first blocks are never trained.

>>> from torch import nn
>>> from nas.networks.backbone import Backbone, PartMaker
>>> class Small:
...     num_blocks, taps = 1, (0,)
...     block = nn.Conv2d(8, 8, 1)
...     def make_stem(self):
...         return nn.Conv2d(3, 8, 3)
...     def make_block(self, l):
...         return self.block
...     def make_head(self, task):
...         return nn.Flatten()
>>> isinstance(Small(), Backbone)
True
>>> make = PartMaker(Small())
>>> first = make.block(0)
>>> make.block(0)
Traceback (most recent call last):
...
nas.errors.InputError: backbone Small: two calls of make_block(0) give modules with the same weight; each must have ...

Start with `nas.networks.backbone.protocol`.
"""

from nas.networks.backbone.block_names import block_names
from nas.networks.backbone.channels import stated_channel_dims
from nas.networks.backbone.frozen import FrozenPrefix
from nas.networks.backbone.parts import PartMaker, check_backbone, copied
from nas.networks.backbone.protocol import Backbone
from nas.networks.backbone.running import PartRunner, check_outputs, explaining_in_place_errors

__all__ = [
    "Backbone",
    "FrozenPrefix",
    "PartMaker",
    "PartRunner",
    "block_names",
    "check_backbone",
    "check_outputs",
    "copied",
    "explaining_in_place_errors",
    "stated_channel_dims",
]
