"""The protocol of a backbone. Any object with these members is a backbone; nothing needs to be inherited."""

from typing import Protocol, runtime_checkable

from torch import nn

from nas.tasks.task import Task


@runtime_checkable
class Backbone(Protocol):
    """A stem, then L blocks in sequence, with taps that heads read.

    Each ``make_`` call returns a fresh module with its own parameters. A stem maps the input to features; a
    block maps features to features. A head is called as ``head(features, size)``: ``features`` is the tuple of
    the outputs of the blocks in ``taps`` (in that order), ``size`` the spatial size of the network's input
    (``input.shape[2:]``). Functional operations such as interpolation and concatenation belong inside a block or a
    head, so that their cost is counted. README.md in this folder states all rules.

    Attributes:
        num_blocks: L.
        taps: indices of the blocks whose outputs heads read, ascending, the last being L - 1.

    Three more members are optional. ``channel_dim`` is the dimension of the features that holds the channels, or one
    for each block: 1 for [B, C, ...], -1 for [B, ..., C]. ``block_names`` has a name for each block, which trees and
    pictures show. ``weights_report`` is not None if stem and blocks start from trained weights.
    """

    @property
    def num_blocks(self) -> int: ...

    @property
    def taps(self) -> tuple[int, ...]: ...

    def make_stem(self) -> nn.Module: ...

    def make_block(self, l: int) -> nn.Module: ...

    def make_head(self, task: Task) -> nn.Module: ...
