"""Dilated ResNets with ASPP, for dense tasks."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from torch import nn

from nas.errors import InputError
from nas.tasks.task import Task
from search_spaces.aspp import ASPP
from search_spaces.convolution import conv, dilated_stages
from search_spaces.heads import ASPPHead, DeepLabV3PlusHead, LinearHead, is_image_task
from search_spaces.pretrained import StartsFromFile
from search_spaces.residual import BasicBlock, Bottleneck

Depth = Literal[18, 34, 50]
Granularity = Literal["block", "stage"]
Decoder = Literal["deeplabv3plus", "aspp"]
Settings = tuple[int, int, int, tuple[int, int]]
"""Input channels, channels, stride and rates of a residual block."""

# Residual blocks in each stage (arXiv 1512.03385, table 1).
REPEATS: dict[int, tuple[int, ...]] = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
STAGE_CHANNELS = (64, 128, 256, 512)
STAGE_STRIDES = (1, 2, 2, 2)
STEM_STRIDE = 4
ASPP_CHANNELS = 256
# DeepLabV3 (arXiv 1706.05587), section 3.3: the rates double where the output stride halves.
ASPP_RATES = {16: (6, 12, 18), 8: (12, 24, 36)}


@dataclass(frozen=True)
class ResNet(StartsFromFile):
    """ResNet-18, -34 or -50 with one of two decoders; later strides become dilation.

    With "deeplabv3plus", ASPP is the last block, so tasks can share it. The heads are those of DeepLabV3+ and read the
    last block with stride 4, and ASPP. With "aspp", the blocks are the residual blocks only, and each head has its own
    ASPP (DeepLabV3; LTB's ResNet-34) and reads the last block.

    A task gets a head with outputs [B, num_outputs, H, W]. A task with ``dense=False``, or named in
    ``image_tasks``, gets a linear layer on the mean over the image, with outputs [B, num_outputs].

    Args:
        depth: 18, 34 or 50.
        output_stride: stride of the last residual block's features: 8 or 16.
        granularity: whether a block of the search is one residual "block" or a whole "stage".
        decoder: "deeplabv3plus" or "aspp".
        dropout: dropout in ASPP.
        image_tasks: names of the tasks that have one label per image; those with ``dense=False`` need not be named.
        weights: a state-dict file with torchvision's names, from which stem and residual blocks start. It is opened at
            the first ``make_``.
    """

    depth: Depth = 18
    output_stride: int = 16
    granularity: Granularity = "block"
    decoder: Decoder = "deeplabv3plus"
    dropout: float = 0.0
    image_tasks: tuple[str, ...] = ()
    weights: Path | None = None

    def __post_init__(self) -> None:
        for name, found, allowed in (
            ("depth", self.depth, tuple(REPEATS)),
            ("output_stride", self.output_stride, tuple(ASPP_RATES)),
            ("granularity", self.granularity, get_args(Granularity)),
            ("decoder", self.decoder, get_args(Decoder)),
        ):
            if found not in allowed:
                raise InputError(f"ResNet: {name} is {found!r}, must be one of {', '.join(map(repr, allowed))}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"ResNet: dropout is {self.dropout}, must be at least 0 and below 1")

    @property
    def num_blocks(self) -> int:
        return len(self._residuals) + (self.decoder == "deeplabv3plus")

    @property
    def taps(self) -> tuple[int, ...]:
        last = self.num_blocks - 1
        if self.decoder == "aspp":
            return (last,)
        return (0 if self.granularity == "stage" else REPEATS[self.depth][0] - 1, last)

    def make_stem(self) -> nn.Module:
        return self.started(_new_stem(), "")

    def make_block(self, l: int) -> nn.Module:
        assert 0 <= l < self.num_blocks
        if l == len(self._residuals):
            return ASPP(self._channels(-1), ASPP_CHANNELS, rates=self._rates, dropout=self.dropout, activation=nn.ReLU)
        return self.started(self._new_block(l), self._residuals[l][0])

    def make_head(self, task: Task) -> nn.Module:
        if is_image_task(task, self.image_tasks, "ResNet"):
            return LinearHead(
                ASPP_CHANNELS if self.decoder == "deeplabv3plus" else self._channels(-1), task.num_outputs
            )
        if self.decoder == "aspp":
            return ASPPHead(
                self._channels(-1),
                ASPP_CHANNELS,
                task.num_outputs,
                rates=self._rates,
                dropout=self.dropout,
                activation=nn.ReLU,
            )
        return DeepLabV3PlusHead(self._channels(0), ASPP_CHANNELS, task.num_outputs, activation=nn.ReLU)

    @property
    def _rates(self) -> tuple[int, ...]:
        return ASPP_RATES[self.output_stride]

    @property
    def _residual_type(self) -> type[BasicBlock] | type[Bottleneck]:
        return Bottleneck if self.depth == 50 else BasicBlock

    def _channels(self, stage: int) -> int:
        return self._residual_type.expansion * STAGE_CHANNELS[stage]

    def _new_block(self, l: int) -> nn.Module:
        blocks = [self._residual_type(*settings) for settings in self._residuals[l][1]]
        return nn.Sequential(*blocks) if self.granularity == "stage" else blocks[0]

    @cached_property
    def _residuals(self) -> list[tuple[str, list[Settings]]]:
        """For each block except ASPP, the prefix of its names in torchvision, and its residual blocks' settings."""
        residuals: list[tuple[str, list[Settings]]] = []
        in_channels = STAGE_CHANNELS[0]
        stages = zip(
            REPEATS[self.depth],
            STAGE_CHANNELS,
            dilated_stages(STAGE_STRIDES, STEM_STRIDE, self.output_stride),
            strict=True,
        )
        for stage, (repeats, channels, (stride, rate_before, rate_after)) in enumerate(stages):
            settings: list[Settings] = []
            for i in range(repeats):
                first = i == 0
                rates = (rate_before if first else rate_after, rate_after)
                settings.append((in_channels, channels, stride if first else 1, rates))
                in_channels = self._channels(stage)
            if self.granularity == "stage":
                residuals.append((f"layer{stage + 1}.", settings))
            else:
                residuals.extend((f"layer{stage + 1}.{i}.", [setting]) for i, setting in enumerate(settings))
        return residuals

    def pretrained_parts(self) -> Mapping[str, nn.Module]:
        return {"": _new_stem(), **{prefix: self._new_block(l) for l, (prefix, _) in enumerate(self._residuals)}}


def _new_stem() -> nn.Module:
    layers: dict[str, nn.Module] = {
        "conv1": conv(3, STAGE_CHANNELS[0], 7, stride=2),
        "bn1": nn.BatchNorm2d(STAGE_CHANNELS[0]),
        "relu": nn.ReLU(inplace=True),
        "maxpool": nn.MaxPool2d(3, stride=2, padding=1),
    }
    return nn.Sequential(OrderedDict(layers))
