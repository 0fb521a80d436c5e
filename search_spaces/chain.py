"""Cuts a module into a chain of parts, at the outputs of named submodules."""

import inspect
import operator
import traceback
from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from torch import fx, nn

from nas.errors import InputError
from nas.networks.backbone import copied


def cut(module: nn.Module, names: Sequence[str]) -> list[fx.GraphModule]:
    """Split ``module`` at the outputs of the named submodules; the parts, applied in turn, compute the last output.

    Part i computes the output of ``names[i]`` from that of ``names[i - 1]`` (the first part, from the module's input).
    It contains all modules and functions in between, in the order of execution. Everything after the last name is left
    out. torch.fx traces only the forward of modules that contain a named one; other modules stay whole. The parts hold
    copies, and ``module`` does not change.

    Raises:
        InputError: the module is not such a chain; the message names the value, module or parameter that prevents it.
    """
    _check_names(module, names)
    try:
        module = copied(module)
    except Exception as error:
        raise InputError(f"{_type(module)} cannot be copied, but each candidate is a copy: {error}") from error
    evaluated = _trace(module.eval(), names)
    trained = _trace(module.train(), names)
    for node, other in zip(trained, evaluated, strict=False):
        if _describe(node) != _describe(other):
            raise InputError(
                f"{_type(module)}: forward has {_describe(node)} in training and {_describe(other)} in evaluation: "
                "move what depends on `training` into a submodule, such as nn.Dropout"
            )
    return _split(module, trained, names)


def traced(module: nn.Module, spine: Collection[str]) -> list[fx.Node]:
    """The nodes of the forward of a module and of the submodules in ``spine``; other submodules are one node each.

    Raises:
        InputError: the forward cannot be traced; the message says where.
    """
    parameters = list(inspect.signature(module.forward).parameters.values())[1:]
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    try:
        return list(_SpineTracer(spine).trace(module, concrete_args=defaults or None).nodes)
    # The module's own code may raise anything when it gets a symbol instead of a tensor.
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{_type(module)} cannot be traced{_where(error)}: {reason}: name parts so that this is inside one, or "
            "write a class with make_stem, make_block and make_head"
        ) from error


def ancestors(node: fx.Node) -> set[fx.Node]:
    """The node, and all nodes that its value depends on."""
    found: set[fx.Node] = set()
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting.extend(current.all_input_nodes)
    return found


class _SpineTracer(fx.Tracer):
    """Traces through the modules of the spine; all others are leaves."""

    def __init__(self, spine: Collection[str]) -> None:
        super().__init__()
        self.spine = spine

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return module_qualified_name not in self.spine


def _check_names(module: nn.Module, names: Sequence[str]) -> None:
    submodules = dict(module.named_modules(remove_duplicate=False))
    first_names = {id(submodule): name for name, submodule in module.named_modules()}
    for i, name in enumerate(names):
        if not name or name not in submodules:
            children = ", ".join(child for child, _ in module.named_children())
            raise InputError(f"{_type(module)} has no submodule {name!r}; its children are: {children or 'none'}")
        if name in names[:i]:
            raise InputError(f"{_type(module)}: {name} is named twice among stem and blocks: name each part once")
        if first_names[id(submodules[name])] != name:
            first = first_names[id(submodules[name])]
            raise InputError(f"{_type(module)}: {name} and {first} are the same module: parts cannot share one")
        inside = next((other for other in names if other.startswith(name + ".")), None)
        if inside:
            raise InputError(f"{_type(module)}: {inside} is inside {name}: name one of the two")


def _trace(module: nn.Module, names: Sequence[str]) -> list[fx.Node]:
    """The nodes that the last name's output depends on, in the order of execution, checked for the calls of names."""
    nodes = traced(module, {name.rsplit(".", i)[0] for name in names for i in range(1, name.count(".") + 1)})
    calls = [node.target for node in nodes if node.op == "call_module" and node.target in names]
    for name in names:
        if calls.count(name) != 1:
            raise InputError(
                f"{_type(module)}: forward calls {name} {calls.count(name)} times: a part has to be called once"
            )
    if calls != list(names):
        raise InputError(
            f"{_type(module)}: name stem and blocks in the order of their calls: {', '.join(map(str, calls))}"
        )

    end = next(i for i, node in enumerate(nodes) if node.target == names[-1])
    needed = ancestors(nodes[end])
    for node in nodes[:end]:
        if node not in needed and needed.intersection(node.all_input_nodes) and _in_place(node, module):
            raise InputError(
                f"{_type(module)}: {_describe(node)} changes a value in place and its result is not used, so its "
                "place in the chain is unknown: assign its result"
            )
    return [node for node in nodes if node in needed]


def _split(module: nn.Module, nodes: list[fx.Node], names: Sequence[str]) -> list[fx.GraphModule]:
    inputs = [node for node in nodes if node.op == "placeholder"]
    if len(inputs) != 1:
        found = ", ".join(node.name for node in inputs) or "none"
        raise InputError(f"{_type(module)}: {names[-1]} depends on the inputs {found}: a backbone has exactly one")
    parts = []
    start, done = inputs[0], {inputs[0]}
    owners: dict[int, tuple[str, str]] = {}
    for name in names:
        end = next((node for node in nodes if node.target == name), None)
        if end is None:
            raise InputError(f"{_type(module)}: the output of {name} does not reach {names[-1]}: leave {name} out")
        own = ancestors(end) - done
        for value in [start, *(own - {end})]:
            late = [user for user in nodes if user in value.users and user not in own]
            if late:
                raise InputError(
                    f"{_type(module)}: a connection skips the cut at {name}: {_describe(value)} is used after it by "
                    f"{' and '.join(map(_describe, late))}: put both ends into one part"
                )
        if any(user.target is operator.getitem and isinstance(user.args[1], int) for user in end.users):
            raise InputError(f"{_type(module)}: {name} returns several values: a block has to return one tensor")
        part = [node for node in nodes if node in own]
        _check_unshared(module, part, name, owners)
        parts.append(_build(module, start, part, name))
        start = end
        done |= own
    return parts


def _check_unshared(module: nn.Module, part: list[fx.Node], name: str, owners: dict[int, tuple[str, str]]) -> None:
    """Add the tensors of a part to ``owners``; InputError if another part has one of them."""
    for node in part:
        if node.op == "get_attr":
            tensors = [(str(node.target), operator.attrgetter(str(node.target))(module))]
        elif node.op == "call_module":
            submodule, prefix = module.get_submodule(str(node.target)), str(node.target)
            tensors = [*submodule.named_parameters(prefix), *submodule.named_buffers(prefix)]
        else:
            continue
        for tensor_name, tensor in tensors:
            other_name, other_part = owners.setdefault(id(tensor), (tensor_name, name))
            if other_part != name:
                shared = tensor_name if tensor_name == other_name else f"{other_name} and {tensor_name}"
                raise InputError(
                    f"{_type(module)}: the parts {other_part} and {name} share {shared}: "
                    "each candidate has weights of its own, so put both into one part"
                )


def _build(module: nn.Module, start: fx.Node, part: list[fx.Node], name: str) -> fx.GraphModule:
    """The part as a module whose submodules are registered in the order of execution."""
    graph = fx.Graph()
    x = graph.placeholder("x")
    # A module may change its input in place, but other candidates and heads read the same input.
    copies = {start: graph.call_method("clone", (x,))}
    attributes: dict[str, nn.Module | torch.Tensor] = {}
    for node in part:
        copies[node] = graph.node_copy(node, lambda other: copies[other])
        if node.op in ("call_module", "get_attr"):
            # Without dots, because nested names would be grouped and lose the order of execution.
            flat = str(node.target).replace(".", "_")
            attribute = operator.attrgetter(str(node.target))(module)
            while attributes.setdefault(flat, attribute) is not attribute:
                flat += "_"
            copies[node].target = flat
    graph.output(copies[part[-1]])
    return fx.GraphModule(attributes, graph, class_name=type(module.get_submodule(name)).__name__)


def _in_place(node: fx.Node, module: nn.Module) -> bool:
    if node.op == "call_module":
        return any(getattr(m, "inplace", False) for m in module.get_submodule(str(node.target)).modules())
    if node.op not in ("call_function", "call_method"):
        return False
    called = _called(node)
    return (
        (called.endswith("_") and not called.endswith("__"))
        or called in ("setitem", "iadd", "isub", "imul", "itruediv")
        or bool(node.kwargs.get("inplace"))
    )


def _called(node: fx.Node) -> str:
    return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))


def _describe(node: fx.Node) -> str:
    if node.op == "placeholder":
        return f"the input {node.name}"
    if node.op == "get_attr":
        return f"self.{node.target}"
    arguments = [*map(str, node.args), *(f"{key}={value}" for key, value in node.kwargs.items())]
    return f"{_called(node)}({', '.join(arguments)})"


def _where(error: Exception) -> str:
    """The last line of the traceback that is neither in torch nor in this file, hence in the user's code."""
    library = str(Path(torch.__file__).parent)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith((library, __file__, "<")):
            return f" at {frame.filename}, line {frame.lineno}"
    return ""


def _type(module: nn.Module) -> str:
    return type(module).__name__
