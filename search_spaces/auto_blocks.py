"""Finds the blocks of a module by itself: ``blocks="auto"`` of `search_spaces.from_module`."""

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

    The module's forward is a chain of submodules, through each of which everything passes. A ``nn.Sequential``, and a
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
        InputError: the module does not run on such a sample, cannot be traced, or is no chain of a stem and a block.
    """
    names = _features(module, _expanded(module), input_shape)
    heavy = [name for name in names if _has_weight(module.get_submodule(name))]
    composed = [name for name in heavy if _is_composed(module.get_submodule(name))]
    main = composed or heavy
    if main and names.index(main[0]) == names.index(heavy[0]):
        main = main[1:]
    if not main:
        raise InputError(
            f"{type(module).__name__}: blocks='auto' finds no chain of a stem and blocks; the submodules that "
            f"everything passes through are: {', '.join(names) or 'none'}: name stem and blocks, such as "
            'stem="conv1", blocks=["layer1", "layer2"]'
        )
    before = heavy[heavy.index(main[0]) - 1]
    return AutoBlocks(_end(names, before, heavy), tuple(main), tuple(_end(names, name, heavy) for name in main))


def _expanded(module: nn.Module) -> list[str]:
    """The chain's submodules, in the order of their calls, at the depth where layers repeat."""
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
    return names


def _chain(module: nn.Module, spine: set[str]) -> list[str]:
    """The submodules that are called once, and through whose output everything passes."""
    nodes = traced(module, spine)
    needed = ancestors(nodes[-1])
    nodes = [node for node in nodes if node in needed]
    calls = [node.target for node in nodes if node.op == "call_module"]
    return [
        str(node.target)
        for node in nodes
        if node.op == "call_module" and calls.count(node.target) == 1 and _is_cut(node, needed)
    ]


def _is_cut(node: fx.Node, needed: set[fx.Node]) -> bool:
    before = ancestors(node)
    # Constants, such as parameters that are used twice, and sizes do not connect two parts of the chain.
    values = [value for value in before - {node} if value.op != "get_attr" and not _is_size(value)]
    users = {user for value in values for user in value.users if user in needed and not _is_size(user)}
    return users <= before


def _is_size(node: fx.Node) -> bool:
    if node.op == "call_method":
        return node.target in ("size", "dim", "numel")
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
    return len(after) < len(before) or (len(after) > 2 and before[2:].numel() > 1 and after[2:].numel() == 1)


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


def _end(names: list[str], name: str, heavy: list[str]) -> str:
    """The last submodule from ``name`` on before the next one with a weight."""
    end = name
    for other in names[names.index(name) + 1 :]:
        if other in heavy:
            break
        end = other
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
