"""Finds the blocks of a module by itself: ``blocks="auto"`` of `search_spaces.from_module`."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, fx, nn

from nas.errors import InputError, in_one_line
from search_spaces.chain import ancestors, traced


@dataclass(frozen=True)
class AutoBlocks:
    """What `find_blocks` found, as names of submodules.

    Attributes:
        stem: the submodule whose output is the stem's.
        blocks: of each block the submodule that gives it its name.
        ends: of each block the submodule whose output is the block's; norms, activations and poolings that follow a
            block's submodule belong to it.
    """

    stem: str
    blocks: tuple[str, ...]
    ends: tuple[str, ...]


def find_blocks(module: nn.Module, input_shape: Sequence[int]) -> AutoBlocks:
    """The stem and the blocks of a module that is a chain of submodules, at the depth where its layers repeat.

    The module's forward is a chain of submodules; everything passes through each of them. A ``nn.Sequential``, and a
    submodule that holds submodules of one type, such as the stage of a residual network, is replaced by the chain
    inside it. What no connection skips remains:

    1. From the submodule that pools or flattens the features on, the module is the classifier, which is left out. If
       the features are vectors [B, C], the classifier is the last layer with a weight matrix.
    2. Blocks are the submodules with several layers, such as residual units. A module without any has a block for each
       layer with a weight matrix or filter.
    3. The stem is all before the first block, or what would be the first block if nothing is before it.
    4. Layers with a weight between two blocks belong to the later block. Those after the last block are left out.

    The same module always gives the same blocks.

    Args:
        module: it runs once, on a sample of zeros in evaluation mode, and is not changed.
        input_shape: of one sample, without the batch.

    Raises:
        InputError: the module does not run on such a sample, cannot be traced, or is not a chain of a stem and blocks.
    """
    spine, names = _expanded(module)
    names = _features(module, names, input_shape)
    found = _select(module, names, names)
    if found is not None:
        # Sizes that only the classifier asks for do not matter, and those that a block asks for connect parts.
        found = _select(module, names, _chain(module, spine, until=found.ends[-1]))
    if found is None:
        raise InputError(
            f"{type(module).__name__}: blocks='auto' finds no chain of a stem and blocks; the submodules that "
            f"everything passes through are: {', '.join(names) or 'none'}: name stem and blocks, such as "
            'stem="conv1", blocks=["layer1", "layer2"]'
        )
    return found


def _select(module: nn.Module, names: Sequence[str], cuts: Sequence[str]) -> AutoBlocks | None:
    """Stem and blocks out of the chain's submodules, each ending at one of ``cuts``; None if there are none."""
    heavy = [name for name in names if _has_weight(module.get_submodule(name))]
    main = [name for name in heavy if _is_composed(module.get_submodule(name))] or heavy
    if not main:
        return None
    ends = {name: end for name in main if (end := _end(names, name, heavy, cuts)) is not None}
    stems = [name for name in names[names.index(heavy[0]) : names.index(main[0])] if name in cuts]
    if not stems and ends:
        stems = [ends.pop(next(iter(ends)))]
    return AutoBlocks(stems[-1], tuple(ends), tuple(ends.values())) if stems and ends else None


def _expanded(module: nn.Module) -> tuple[set[str], list[str]]:
    """The submodules that are entered, and those of the chain in the order of their calls."""
    spine = {""}
    names = _chain(module, spine)
    opaque: set[str] = set()
    while waiting := [n for n in names if n not in opaque and _may_hold_a_chain(module.get_submodule(n))]:
        name = waiting[0]
        opaque.add(name)
        try:
            inner = _chain(module, spine | {name})
        except InputError:
            continue
        inside = [n for n in inner if n.startswith(f"{name}.")]
        num_heavy = sum(_has_weight(module.get_submodule(n)) for n in inside)
        if num_heavy > 1 or any(_is_composed(module.get_submodule(n)) for n in inside):
            spine, names = spine | {name}, inner
    return spine, names


def _chain(module: nn.Module, spine: set[str], until: str | None = None) -> list[str]:
    """The submodules that are called once, and through whose output everything passes.

    Args:
        until: the last submodule that counts. Without it, everything counts except sizes, which no tensor carries on.
    """
    nodes = traced(module, spine)
    needed = ancestors(nodes[-1] if until is None else next(node for node in nodes if node.target == until))
    nodes = [node for node in nodes if node in needed]
    calls = [node.target for node in nodes if node.op == "call_module"]
    return [
        str(node.target)
        for node in nodes
        if node.op == "call_module" and calls.count(node.target) == 1 and _is_cut(node, needed, sizes=until is not None)
    ]


def _is_cut(node: fx.Node, needed: set[fx.Node], sizes: bool) -> bool:
    before = ancestors(node)
    # A constant, such as a parameter that is used twice, does not connect two parts of the chain.
    values = [value for value in before - {node} if value.op != "get_attr" and (sizes or not _is_size(value))]
    users = {user for value in values for user in value.users if user in needed and (sizes or not _is_size(user))}
    return users <= before


def _is_size(node: fx.Node) -> bool:
    """Whether it is a tensor's shape, or a number of it."""
    if node.op == "call_method":
        return node.target in ("size", "dim", "numel")
    if node.target is operator.getitem and isinstance(node.args[0], fx.Node):
        return _is_size(node.args[0])
    return node.target is getattr and node.args[1] in ("shape", "ndim", "dtype", "device")


def _features(module: nn.Module, names: list[str], input_shape: Sequence[int]) -> list[str]:
    """The submodules before the classifier."""
    shapes = _shapes(module, names, input_shape)
    names = [name for name in names if name in shapes]
    for i, (before, after) in enumerate(pairwise(names)):
        if _is_pooled(shapes[before], shapes[after]):
            return names[: i + 1]
    heavy = [name for name in names if _has_weight(module.get_submodule(name))]
    if heavy and len(shapes[names[0]]) == 2:
        return names[: names.index(heavy[-1])]
    return names


def _is_pooled(before: torch.Size, after: torch.Size) -> bool:
    return before[2:].numel() > 1 == after[2:].numel()


@torch.no_grad()
def _shapes(module: nn.Module, names: list[str], input_shape: Sequence[int]) -> dict[str, torch.Size]:
    """The shape of the output, on one sample, of each submodule that gives one tensor."""
    shapes: dict[str, torch.Size] = {}

    def noting(name: str) -> Callable[[nn.Module, object, object], None]:
        def note(_: nn.Module, __: object, output: object) -> None:
            if isinstance(output, Tensor):
                shapes[name] = output.shape

        return note

    modes = {part: part.training for part in module.modules()}
    hooks = [module.get_submodule(name).register_forward_hook(noting(name)) for name in names]
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            module.eval()(torch.zeros(1, *input_shape, device=device))
    except Exception as error:  # a module may raise anything on an input that it is not made for
        raise InputError(
            f"{type(module).__name__} does not run on a sample of shape {list(input_shape)}: {in_one_line(error)}: "
            "state the input_shape that it is made for"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
        for part, training in modes.items():
            part.training = training
    return shapes


def _end(names: Sequence[str], name: str, heavy: Sequence[str], cuts: Sequence[str]) -> str | None:
    """The last cut from ``name`` on before the next submodule with a weight, if there is one."""
    end = None
    for other in names[names.index(name) :]:
        if other in heavy and other != name:
            break
        end = other if other in cuts else end
    return end


def _may_hold_a_chain(module: nn.Module) -> bool:
    if _is_sequential(module):
        return True
    groups = [list(module.children())]
    groups += [
        list(child.children()) for child in module.children() if isinstance(child, nn.Sequential | nn.ModuleList)
    ]
    return any(_is_repeated(group) for group in groups)


def _is_repeated(group: list[nn.Module]) -> bool:
    """Modules of one type with submodules; a single one counts if it is not torch's own."""
    if not group or len({type(module) for module in group}) > 1 or not all(_has_children(m) for m in group):
        return False
    return len(group) > 1 or not type(group[0]).__module__.startswith("torch.nn.")


def _is_composed(module: nn.Module) -> bool:
    """Whether it has several layers with a weight, and is not one layer with its padding, norm and activation."""
    owners = [m for m in module.modules() if any(parameter.dim() > 1 for parameter in m.parameters(recurse=False))]
    return len(owners) > 1


def _has_children(module: nn.Module) -> bool:
    return any(True for _ in module.children())


def _is_sequential(module: nn.Module) -> bool:
    return isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward


def _has_weight(module: nn.Module) -> bool:
    """Whether a parameter is a matrix or a filter; those of norms are vectors."""
    return any(parameter.dim() > 1 for parameter in module.parameters())
