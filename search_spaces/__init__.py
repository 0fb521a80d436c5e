"""Search spaces: backbones, cut into a stem, L blocks and heads.

A search decides for every block which tasks share it. Tasks may part before any block, so the cuts between the blocks
decide which trees exist. A backbone is any object with the members of `nas.networks.backbone.Backbone`; there is no
base class and no registry.

- `DigitsBackbone`: six small convolutions for pairs of digits, for experiments that take minutes;
- `MobileNetV2`: 17 inverted residuals and R-ASPP with DeepLabV3+ heads, the space of BMTAS;
- `PlantedBackbone`: one layer a block, for problems whose best tree is known;
- `ResNet`: dilated ResNets of 18, 34 or 50 layers, with ASPP in the encoder or in the heads;
- `from_module`: turns your own module into a backbone and keeps its weights.

>>> from torch import nn
>>> from search_spaces.heads import LinearHead
>>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3))
>>> backbone = from_module(net, stem="0", blocks=["1", "2"], head=lambda task: LinearHead(8, task.num_outputs))
>>> backbone.num_blocks
2

Start with `digits`, the shortest. `convolution`, `residual`, `aspp` and `heads` are building blocks, `pretrained` reads
files of weights, and `chain` cuts modules for `from_module`.
"""

from search_spaces.digits import DigitsBackbone
from search_spaces.from_module import from_module
from search_spaces.mobilenet_v2 import MobileNetV2
from search_spaces.planted import PlantedBackbone
from search_spaces.resnet import ResNet

__all__ = ["DigitsBackbone", "MobileNetV2", "PlantedBackbone", "ResNet", "from_module"]
