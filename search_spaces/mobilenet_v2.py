"""MobileNetV2 with R-ASPP and DeepLabV3+ heads: the search space of BMTAS (arXiv 2008.10292, section 4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from torch import Tensor, nn

from nas.errors import InputError
from nas.tasks.task import Task
from search_spaces.aspp import ASPP
from search_spaces.convolution import conv_bn, dilated_stages
from search_spaces.heads import DeepLabV3PlusHead, LinearHead, is_image_task
from search_spaces.pretrained import StartsFromFile

# Expansion, channels, repeats and first stride of each stage (arXiv 1801.04381, table 2).
STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
STEM_CHANNELS = 32
ASPP_CHANNELS = 128
# The last block with features at stride 4.
LOW_LEVEL_BLOCK = 2


class InvertedResidual(nn.Module):
    """Expand by a 1x1 convolution, filter each channel by a 3x3, project by a 1x1 without activation; add the input
    where the shape is kept (arXiv 1801.04381, section 3.3)."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int, expansion: int, dilation: int) -> None:
        super().__init__()
        hidden = in_channels * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [conv_bn(in_channels, hidden, activation=nn.ReLU6)]
        layers.append(conv_bn(hidden, hidden, 3, stride=stride, dilation=dilation, groups=hidden, activation=nn.ReLU6))
        layers.extend(conv_bn(hidden, out_channels, activation=None))
        self.conv = nn.Sequential(*layers)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return x + out if self.residual else out


@dataclass(frozen=True)
class MobileNetV2(StartsFromFile):
    """A stem, 17 inverted residuals and R-ASPP as blocks 0 to 17; heads read blocks 2 (stride 4) and 17.

    With an output stride below 32, later strides become dilation. With 16, the block that had the last stride has rate
    1, and the later blocks of 160 and 320 channels have rate 2.

    A task gets a DeepLabV3+ head with outputs [B, num_outputs, H, W]. A task with ``dense=False``, or named in
    ``image_tasks``, gets a linear layer on the mean over the image, with outputs [B, num_outputs].

    Args:
        width: multiplier of the channels of stem and inverted residuals, rounded to multiples of 8 as in the paper's
            code; R-ASPP and heads keep their 128.
        output_stride: stride of the last inverted residual's features: 8, 16 or 32.
        dropout: dropout in R-ASPP; BMTAS uses 0 in the search and 0.1 in retraining.
        image_tasks: names of the tasks that have one label per image; those with ``dense=False`` need not be named.
        weights: a state-dict file with torchvision's names, from which stem and inverted residuals start. It is opened
            at the first ``make_``.
    """

    width: float = 1.0
    output_stride: int = 16
    dropout: float = 0.0
    image_tasks: tuple[str, ...] = ()
    weights: Path | None = None

    def __post_init__(self) -> None:
        if not self.width > 0:
            raise InputError(f"MobileNetV2: width is {self.width}, must be above 0, such as 0.5 or 1.0")
        if self.output_stride not in (8, 16, 32):
            raise InputError(f"MobileNetV2: output_stride is {self.output_stride}, must be 8, 16 or 32")
        if not 0 <= self.dropout < 1:
            raise InputError(f"MobileNetV2: dropout is {self.dropout}, must be at least 0 and below 1")

    @property
    def num_blocks(self) -> int:
        return len(self._residuals) + 1

    @property
    def taps(self) -> tuple[int, ...]:
        return (LOW_LEVEL_BLOCK, self.num_blocks - 1)

    def make_stem(self) -> nn.Module:
        return self.started(self._new_stem(), "features.0.")

    def make_block(self, l: int) -> nn.Module:
        assert 0 <= l < self.num_blocks
        if l == len(self._residuals):
            channels = self._residuals[-1]["out_channels"]
            return ASPP(channels, ASPP_CHANNELS, rates=(), dropout=self.dropout, activation=nn.ReLU6)
        return self.started(InvertedResidual(**self._residuals[l]), f"features.{l + 1}.")

    def make_head(self, task: Task) -> nn.Module:
        if is_image_task(task, self.image_tasks, "MobileNetV2"):
            return LinearHead(ASPP_CHANNELS, task.num_outputs)
        low_channels = self._residuals[LOW_LEVEL_BLOCK]["out_channels"]
        return DeepLabV3PlusHead(low_channels, ASPP_CHANNELS, task.num_outputs, activation=nn.ReLU6)

    def _new_stem(self) -> nn.Module:
        return conv_bn(3, self._channels(STEM_CHANNELS), 3, stride=2, activation=nn.ReLU6)

    def _channels(self, channels: int) -> int:
        """The multiple of 8 nearest to ``width * channels``, but at least 90 % of it."""
        scaled = self.width * channels
        rounded = max(8, int(scaled + 4) // 8 * 8)
        return rounded if rounded >= 0.9 * scaled else rounded + 8

    @cached_property
    def _residuals(self) -> list[dict[str, int]]:
        """The arguments of each inverted residual."""
        residuals = []
        in_channels = self._channels(STEM_CHANNELS)
        dilated = dilated_stages(tuple(stride for *_, stride in STAGES), 2, self.output_stride)
        for (expansion, channels, repeats, _), (stride, rate_before, rate_after) in zip(STAGES, dilated, strict=True):
            for i in range(repeats):
                residuals.append(
                    {
                        "in_channels": in_channels,
                        "out_channels": self._channels(channels),
                        "stride": stride if i == 0 else 1,
                        "expansion": expansion,
                        "dilation": rate_before if i == 0 else rate_after,
                    }
                )
                in_channels = self._channels(channels)
        return residuals

    def pretrained_parts(self) -> Mapping[str, nn.Module]:
        blocks = {f"features.{l + 1}.": InvertedResidual(**kwargs) for l, kwargs in enumerate(self._residuals)}
        return {"features.0.": self._new_stem(), **blocks}
