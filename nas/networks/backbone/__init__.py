"""What a backbone is, and what networks do with one.

`Backbone` is a protocol that any object can satisfy; README.md beside this file says what its parts may be. Networks
make them through a `PartMaker`, which refuses parts that share weights, and run them through a `PartRunner`, which
gives a part that writes to its input a copy of it. `FrozenPrefix` is a backbone whose first part is never trained.
"""

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
    "check_backbone",
    "check_outputs",
    "copied",
    "explaining_in_place_errors",
    "stated_channel_dims",
]
