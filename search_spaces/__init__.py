"""Search spaces: backbones, cut into a stem, L blocks and heads, over which branch trees are searched.

Any object with the members of `nas.networks.backbone.Backbone` is one; nothing is inherited or registered. Tasks may
part before any block, so where a backbone is cut into blocks decides which trees there are. These are here:

- `DigitsBackbone`: six small convolutions for pairs of digits, for trying things out in minutes;
- `MobileNetV2`: 17 inverted residuals and R-ASPP with DeepLabV3+ heads, the space of BMTAS;
- `PlantedBackbone`: one layer a block, the student of problems whose best tree is known;
- `ResNet`: dilated ResNets of 18, 34 or 50 layers, ASPP in the encoder or in the heads;
- `from_module`: a backbone from a module of your own that is a chain of submodules, with the weights it has.
"""

from search_spaces.digits import DigitsBackbone
from search_spaces.from_module import from_module
from search_spaces.mobilenet_v2 import MobileNetV2
from search_spaces.planted import PlantedBackbone
from search_spaces.resnet import ResNet

__all__ = ["DigitsBackbone", "MobileNetV2", "PlantedBackbone", "ResNet", "from_module"]
