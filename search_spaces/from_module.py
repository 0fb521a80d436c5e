"""Makes a backbone from a module that is a chain of submodules, and keeps its weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import fx, nn

from nas.errors import InputError
from nas.networks.backbone import copied, stated_channel_dims
from nas.tasks.task import Task
from search_spaces.chain import cut


@dataclass(frozen=True)
class ModuleBackbone:
    """A module cut into a stem and blocks; make it with `from_module`."""

    source: nn.Module | Callable[[], nn.Module]
    stem: str
    blocks: tuple[str, ...]
    taps: tuple[int, ...]
    head: Callable[[Task], nn.Module]
    channel_dim: int | tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not self.blocks:
            raise InputError("from_module: blocks is empty: name at least one submodule")
        last = len(self.blocks) - 1
        if not self.taps or list(self.taps) != sorted(set(self.taps)) or self.taps[0] < 0 or self.taps[-1] != last:
            raise InputError(
                f"from_module: taps is {self.taps}, must be indices of blocks, ascending, the last one {last}"
            )

    @property
    def num_blocks(self) -> int:
        return len(self.blocks)

    def make_stem(self) -> nn.Module:
        return copied(self._parts[0])

    def make_block(self, l: int) -> nn.Module:
        assert 0 <= l < self.num_blocks
        return copied(self._parts[1 + l])

    def make_head(self, task: Task) -> nn.Module:
        return self.head(task)

    @property
    def weights_report(self) -> str:
        """Where the weights come from; its existence tells ``nas retrain --from pretrained`` that they are trained."""
        return "the module's own"

    @cached_property
    def _parts(self) -> list[fx.GraphModule]:
        module = self.source if isinstance(self.source, nn.Module) else self.source()
        return cut(module, [self.stem, *self.blocks])


def from_module(
    module_or_factory: nn.Module | Callable[[], nn.Module],
    *,
    stem: str,
    blocks: Sequence[str],
    head: Callable[[Task], nn.Module],
    taps: Sequence[int] | None = None,
    channel_dim: int | Sequence[int] | None = None,
) -> ModuleBackbone:
    """Turn a module into a backbone, cut at the outputs of the named submodules.

    The stem computes the output of the submodule ``stem`` from the input. Block l computes the output of ``blocks[l]``
    from the output before it, including all that the module does in between. Everything after the last block (the
    classifier) is left out. Every stem and candidate is a copy that starts with the module's weights. Each part copies
    its input first, since modules may change their input in place. The submodules of a part are in the order of
    execution; those of a module that is not cut are in the order of their registration.

    Args:
        module_or_factory: a module, which is cut now, or a function that makes it, which is called at the first
            ``make_``.
        stem: the name of a submodule, as in ``named_modules()``.
        blocks: names of submodules, in the order of their calls.
        head: makes the head of a task, which is called as ``head(features, size)``; ``features`` are the outputs of
            the blocks in ``taps``.
        channel_dim: the dimension of the blocks' outputs that holds the channels, or one for each block; by default it
            is inferred (`nas.strategies.similarity.channels.channel_dims`).
        taps: indices of blocks, ascending, ending with the last block; by default only the last block.

    Raises:
        InputError: the module is not such a chain: a name does not exist or is called twice, a value skips a cut, two
            parts share weights, or the forward cannot be traced (the message says where).
    """
    if isinstance(blocks, str):
        raise InputError(f"from_module: blocks is the string {blocks!r}, must be a list of names")
    backbone = ModuleBackbone(
        module_or_factory,
        stem,
        tuple(blocks),
        (len(blocks) - 1,) if taps is None else tuple(taps),
        head,
        tuple(channel_dim) if isinstance(channel_dim, Sequence) else channel_dim,
    )
    stated_channel_dims(backbone)
    if isinstance(module_or_factory, nn.Module):
        assert backbone._parts
    return backbone
