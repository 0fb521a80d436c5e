"""Makes a backbone from a module that is a chain of submodules, and keeps its weights."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, fx, nn

from nas.errors import InputError, in_one_line
from nas.networks.backbone import copied, stated_channel_dims
from nas.tasks.task import Task
from search_spaces.auto_blocks import find_blocks
from search_spaces.chain import cut

Head = Callable[..., nn.Module]


@dataclass(frozen=True)
class ModuleBackbone:
    """A module cut into a stem and blocks; make it with `from_module`.

    Its trees and pictures show ``names`` as the names of the blocks, by default ``blocks``.
    """

    source: nn.Module | Callable[[], nn.Module]
    stem: str
    blocks: tuple[str, ...]
    taps: tuple[int, ...]
    head: Head
    channel_dim: int | tuple[int, ...] | None = None
    input_shape: tuple[int, ...] | None = None
    names: tuple[str, ...] | None = None
    weights_report: str | None = "the module's own"
    """Where the weights come from; ``nas retrain --from pretrained`` refuses a backbone for which it is None."""

    def __post_init__(self) -> None:
        if not self.blocks:
            raise InputError("from_module: blocks is empty: name at least one submodule")
        last = len(self.blocks) - 1
        if not self.taps or list(self.taps) != sorted(set(self.taps)) or self.taps[0] < 0 or self.taps[-1] != last:
            raise InputError(
                f"from_module: taps is {self.taps}, must be indices of blocks, ascending, the last one {last}"
            )
        if "channels" in _arguments(self.head) and self.input_shape is None:
            raise InputError(
                "from_module: head takes the channels of the taps, which are found by running the module: state "
                "input_shape, such as (3, 64, 64), or give a head that takes the task alone"
            )

    @property
    def num_blocks(self) -> int:
        return len(self.blocks)

    @property
    def block_names(self) -> tuple[str, ...]:
        return self.blocks if self.names is None else self.names

    @cached_property
    def features(self) -> tuple[int, ...]:
        """The number of channels of each tap's features, found by running the parts on a sample of zeros.

        Raises:
            InputError: ``input_shape`` is not stated, a part does not run, or the features lack the channels' dimension
                or have three dimensions and ``channel_dim`` does not say which one holds the channels.
        """
        shapes, stated = self.feature_shapes, stated_channel_dims(self)
        for l in self.taps:
            gives = f"{self.block_names[l]} gives [batch, {', '.join(map(str, shapes[l][1:]))}]"
            if stated is None and len(shapes[l]) == 3:
                raise InputError(
                    f"from_module: {gives}: state channel_dim, -1 for tokens [batch, tokens, channels] or 1 for "
                    "sequences [batch, channels, length]"
                )
            if stated is not None and not -len(shapes[l]) < stated[l] < len(shapes[l]):
                raise InputError(f"from_module: channel_dim is {stated[l]}, but {gives}")
        return tuple(shapes[l][1 if stated is None else stated[l]] for l in self.taps)

    @cached_property
    def feature_shapes(self) -> tuple[torch.Size, ...]:
        """The shape of each block's features of one sample of ``input_shape``, [1, ...]."""
        if self.input_shape is None:
            raise InputError("from_module: the shapes of features need input_shape, such as (3, 64, 64)")
        return _shapes_of(self._parts, self.input_shape, ("the stem", *self.block_names))

    def make_stem(self) -> nn.Module:
        return copied(self._parts[0])

    def make_block(self, l: int) -> nn.Module:
        assert 0 <= l < self.num_blocks
        return copied(self._parts[1 + l])

    def make_head(self, task: Task) -> nn.Module:
        needed = _arguments(self.head)
        channels = (self.features,) if "channels" in needed else ()
        return self.head(task, *channels, **({"channel_dim": self._tap_dim} if "channel_dim" in needed else {}))

    @property
    def _tap_dim(self) -> int:
        dims = stated_channel_dims(self) or (1,) * self.num_blocks
        found = {dims[l] for l in self.taps}
        if len(found) > 1:
            raise InputError(
                f"from_module: the features of the taps have their channels in the dimensions {sorted(found)}: give a "
                "head of your own for them"
            )
        return found.pop()

    @cached_property
    def _parts(self) -> list[fx.GraphModule]:
        module = self.source if isinstance(self.source, nn.Module) else self.source()
        return cut(module, [self.stem, *self.blocks])


def from_module(
    module_or_factory: nn.Module | Callable[[], nn.Module],
    *,
    stem: str | None = None,
    blocks: Sequence[str] | Literal["auto"],
    head: Head,
    taps: Sequence[int] | Literal["sizes"] | None = None,
    channel_dim: int | Sequence[int] | None = None,
    input_shape: Sequence[int] | None = None,
) -> ModuleBackbone:
    """Turn a module into a backbone, cut at the outputs of the named submodules.

    The stem computes the output of the submodule ``stem`` from the input. Block l computes the output of ``blocks[l]``
    from the output before it, including all that the module does in between. Everything after the last block (the
    classifier) is left out. Every stem and candidate is a copy that starts with the module's weights. Each part copies
    its input first, since modules may change their input in place. The submodules of a part are in the order of
    execution; those of a module that is not cut are in the order of their registration. Blocks keep the names of their
    submodules in trees and pictures.

    Args:
        module_or_factory: a module, which is cut now, or a function that makes it, which is called at the first
            ``make_``. With ``blocks="auto"`` or ``taps="sizes"`` the function is also called now, to look at a module.
        stem: the name of a submodule, as in ``named_modules()``; left out with ``blocks="auto"``.
        blocks: names of submodules, in the order of their calls; or "auto": the residual units, stages' modules or
            layers that `search_spaces.auto_blocks.find_blocks` finds.
        head: makes the head of a task, which is called as ``head(features, size)``; ``features`` are the outputs of
            the blocks in ``taps``. It is a function of the task, or of the task and the number of channels of each
            tap. A keyword-only parameter ``channel_dim`` without default gets the dimension of the channels.
            `search_spaces.heads.ready_head` makes such a function.
        taps: indices of blocks, ascending, ending with the last block; by default only the last block. Or "sizes", for
            dense heads: the last block of each size of the features, from a quarter of the input's size on.
        channel_dim: the dimension of the blocks' outputs that holds the channels, or one for each block; by default it
            is inferred (`nas.strategies.similarity.channels.channel_dims`), and 1 for the channels of the taps.
        input_shape: of one sample, without the batch; needed by ``blocks="auto"``, by ``taps="sizes"``, and by a head
            that takes channels.

    Raises:
        InputError: the module is not such a chain: a name does not exist or is called twice, a value skips a cut, two
            parts share weights, or the forward cannot be traced (the message says where). Or ``input_shape`` is
            missing, or the module does not run on it.

    >>> from search_spaces.heads import ready_head
    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU())
    >>> backbone = from_module(net, blocks="auto", head=ready_head(), input_shape=(3, 16, 16))
    >>> backbone.block_names, backbone.features
    (('1', '3'), (16,))
    """
    names, seen = None, module_or_factory
    if blocks == "auto" or taps == "sizes":
        if input_shape is None:
            raise InputError(
                "from_module: blocks='auto' and taps='sizes' run the module: state input_shape, such as (3, 64, 64)"
            )
        seen = _made(module_or_factory)
        if blocks == "auto":
            if stem is not None:
                raise InputError(f"from_module: stem is {stem!r}, but blocks='auto' finds the stem: leave stem out")
            found = find_blocks(seen, input_shape)
            stem, blocks, names = found.stem, found.ends, found.blocks
    if isinstance(blocks, str):
        raise InputError(f"from_module: blocks is the string {blocks!r}, must be a list of names, or 'auto'")
    if stem is None:
        raise InputError("from_module: stem is missing: name the submodule whose output goes into the first block")
    if isinstance(taps, str) and taps != "sizes":
        raise InputError(f"from_module: taps is {taps!r}, must be indices of blocks, or 'sizes'")
    backbone = ModuleBackbone(
        seen,
        stem,
        tuple(blocks),
        (len(blocks) - 1,) if taps is None or isinstance(taps, str) else tuple(taps),
        head,
        tuple(channel_dim) if isinstance(channel_dim, Sequence) else channel_dim,
        None if input_shape is None else tuple(input_shape),
        names,
    )
    stated_channel_dims(backbone)
    if taps == "sizes":
        backbone = replace(backbone, taps=last_of_each_size(backbone))
    if not isinstance(module_or_factory, nn.Module):
        return replace(backbone, source=module_or_factory)
    assert backbone._parts
    return backbone


def last_of_each_size(backbone: ModuleBackbone) -> tuple[int, ...]:
    """The last block of each size of the features, from a quarter of the input's size on, and the last of all."""
    assert backbone.input_shape is not None
    dims = stated_channel_dims(backbone) or (1,) * backbone.num_blocks
    sizes = [
        [size for i, size in enumerate(shape) if i not in (0, dim % len(shape))]
        for shape, dim in zip(backbone.feature_shapes, dims, strict=True)
    ]
    last = backbone.num_blocks - 1
    ends = (l for l in range(last) if sizes[l] != sizes[l + 1] and 4 * sizes[l][0] <= backbone.input_shape[1])
    return (*ends, last)


def _made(module_or_factory: nn.Module | Callable[[], nn.Module]) -> nn.Module:
    if isinstance(module_or_factory, nn.Module):
        return module_or_factory
    # Networks call the factory again, after their seed is set: this call must not change their weights.
    with torch.random.fork_rng(devices=()):
        return module_or_factory()


def _arguments(head: Head) -> set[str]:
    """What it needs beside the task: "channels" if it has a second positional parameter, and "channel_dim"."""
    try:
        parameters = inspect.signature(head).parameters
    except (TypeError, ValueError):  # a function of C, which has no signature
        return set()
    needed = {name: p.kind for name, p in parameters.items() if p.default is p.empty}
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = {"channels"} if sum(kind in positional for kind in needed.values()) > 1 else set()
    return found | ({"channel_dim"} if needed.get("channel_dim") == inspect.Parameter.KEYWORD_ONLY else set())


@torch.no_grad()
def _shapes_of(
    parts: Sequence[nn.Module], input_shape: tuple[int, ...], names: tuple[str, ...]
) -> tuple[torch.Size, ...]:
    """The shapes of all parts' outputs but the first's, of a sample of zeros."""
    device = next((tensor.device for part in parts for tensor in part.parameters()), torch.device("cpu"))
    x, shapes = torch.zeros(1, *input_shape, device=device), []
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        for part, name in zip(parts, names, strict=True):
            try:
                x = copied(part).eval()(x)
            except Exception as error:  # a module may raise anything on an input that it is not made for
                raise InputError(
                    f"from_module: {name} does not run on a sample of shape {list(input_shape)}: {in_one_line(error)}: "
                    "state the input_shape that the module is made for"
                ) from error
            if not isinstance(x, Tensor):
                raise InputError(f"from_module: {name} gives {type(x).__name__}; a part has to give one tensor")
            shapes.append(x.shape)
    return tuple(shapes[1:])
