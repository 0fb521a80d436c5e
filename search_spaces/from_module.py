"""A backbone from any module that is a chain of submodules, with the weights it has."""

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
        """What every part starts from, which ``nas retrain --from pretrained`` takes for trained weights."""
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
    """Turn a module into a backbone, cut at the outputs of the submodules that are named.

    The stem is all that the module computes up to and with the output of ``stem``; block l goes on from there to the
    output of ``blocks[l]``, with whatever lies between; what comes after the last block (the classifier) is left out.
    Every stem and candidate is a copy that starts from the module's weights. As a module may write to its input, each
    part first copies its own. A part's submodules are in the order of execution; within a module that is not cut,
    they are in the order in which its author registered them.

    Args:
        module_or_factory: a module, which is cut at once, or a function that makes it, which is called once, at the
            first ``make_``.
        stem: the name of a submodule, as in ``named_modules()``.
        blocks: names of submodules, in the order of their calls.
        head: makes a task's head, which is called as ``head(features, size)``; ``features`` are the outputs of the
            blocks in ``taps``.
        channel_dim: the dimension of the blocks' outputs that holds the channels, or one for each block; found out
            where not given (`nas.strategies.similarity.channels.channel_dims`).
        taps: indices of blocks, ascending, ending with the last block; the last block alone where not given.

    Raises:
        InputError: where the module is not such a chain: a name that it lacks or that is called twice, a value that
            skips a cut, weights that two parts share, a forward that cannot be traced, with its place.
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
