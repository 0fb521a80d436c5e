"""Search spaces: backbones, cut into a stem, L blocks and heads.

A search decides for every block which tasks share it. Tasks may part before any block, so the cuts between the blocks
decide which trees exist. A backbone is any object with the members of `nas.networks.backbone.Backbone`; there is no
base class and no registry.

- `DigitsBackbone`: six small convolutions for pairs of digits, for experiments that take minutes;
- `MLP`: linear layers, for tables;
- `MobileNetV2`: 17 inverted residuals and R-ASPP with DeepLabV3+ heads, the space of BMTAS;
- `PlantedBackbone`: one layer a block, for problems whose best tree is known;
- `ResNet`: dilated ResNets of 18, 34 or 50 layers, with ASPP in the encoder or in the heads;
- `ViT`: the encoder layers of a vision transformer, whose features are tokens;
- `from_module`: turns your own module into a backbone and keeps its weights;
- `from_timm`: turns a model of timm into a backbone, with its weights if you like.

>>> from torch import nn
>>> from search_spaces.heads import ready_head
>>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 8, 3))
>>> backbone = from_module(net, blocks="auto", head=ready_head(), input_shape=(3, 32, 32))
>>> backbone.block_names
('1', '2')

Start with `digits`, the shortest. `convolution`, `residual`, `aspp` and `heads` are building blocks, `pretrained` reads
files of weights, `auto_blocks` finds the blocks of a module, and `chain` cuts it.
"""

from search_spaces.digits import DigitsBackbone
from search_spaces.from_module import from_module
from search_spaces.from_timm import from_timm
from search_spaces.mlp import MLP
from search_spaces.mobilenet_v2 import MobileNetV2
from search_spaces.planted import PlantedBackbone
from search_spaces.resnet import ResNet
from search_spaces.vit import ViT

__all__ = ["MLP", "DigitsBackbone", "MobileNetV2", "PlantedBackbone", "ResNet", "ViT", "from_module", "from_timm"]
