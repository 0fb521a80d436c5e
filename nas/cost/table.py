"""Measuring what a backbone's parts cost, with fvcore, on the discrete modules in evaluation mode."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from fvcore.nn import FlopCountAnalysis
from torch import Tensor, nn

from nas.cost.activation import activation_bytes
from nas.cost.latency import LatencyTable
from nas.cost.operators import HANDLES, MAC_OPERATORS
from nas.cost.torch_count import Uncounted, plain_attention, short_name, uncounted
from nas.errors import InputError
from nas.networks.backbone.protocol import Backbone
from nas.tasks.task import Task
from nas.tree import BranchTree, CostTable


@dataclass(frozen=True)
class PartCost:
    """What one stem, block or head costs, for one sample.

    ``macs`` is the sum of ``by_operator`` over `MAC_OPERATORS`; ``unsupported`` counts the calls of other operators
    without a count, such as lookups; ``uncounted`` are those among all operators that have MACs which are not in the
    count, or not rightly (`nas.cost.torch_count`); ``activation_bytes`` is what autograd keeps for the backward pass.
    """

    macs: int
    params: int
    by_operator: Mapping[str, int]
    unsupported: Mapping[str, int]
    activation_bytes: int
    uncounted: frozenset[Uncounted] = frozenset()


@dataclass(frozen=True)
class Profile:
    """The measured costs of a backbone's parts for a set of tasks and one size of input.

    ``latency``, where a device was measured, adds milliseconds to the table.
    """

    input_shape: tuple[int, ...]
    stem: PartCost
    blocks: tuple[PartCost, ...]
    heads: Mapping[str, PartCost]
    latency: LatencyTable | None = None

    @property
    def table(self) -> CostTable:
        def cost(part: PartCost) -> dict[str, float]:
            return {"macs": part.macs, "params": part.params}

        counted = CostTable(
            cost(self.stem),
            tuple(cost(block) for block in self.blocks),
            {task: cost(head) for task, head in self.heads.items()},
            tuple(f"block{l}" for l in range(len(self.blocks))),
        )
        return counted if self.latency is None else self.latency.added_to(counted)

    def macs_by_operator(self, tree: BranchTree) -> dict[str, int]:
        """Those of a tree's network."""
        parts = [self.stem, *(self.heads[task] for task in tree.tasks)]
        for block, num_groups in zip(self.blocks, tree.num_groups, strict=True):
            parts += [block] * num_groups
        total: dict[str, int] = {}
        for part in parts:
            for operator, count in part.by_operator.items():
                if operator in MAC_OPERATORS:
                    total[operator] = total.get(operator, 0) + count
        return total

    @property
    def unsupported(self) -> dict[str, int]:
        """Operators without a count, over all parts: how often they are called."""
        total: dict[str, int] = {}
        for part in self._parts.values():
            for operator, calls in part.unsupported.items():
                total[operator] = total.get(operator, 0) + calls
        return total

    @property
    def uncounted(self) -> list[str]:
        """Where MACs are not known: ``["fft_rfft2 in Block.mixer (block 0, block 1)"]``."""
        places: dict[Uncounted, list[str]] = {}
        for name, part in self._parts.items():
            for one in sorted(part.uncounted, key=str):
                places.setdefault(one, []).append(name)
        return [f"{one} ({', '.join(names)})" for one, names in places.items()]

    @property
    def _parts(self) -> dict[str, PartCost]:
        blocks = {f"block {l}": block for l, block in enumerate(self.blocks)}
        return {"stem": self.stem, **blocks, **{f"head of {task}": head for task, head in self.heads.items()}}


class _BoundHead(nn.Module):
    """A head as a module of tensors alone, which tracing asks for."""

    def __init__(self, head: nn.Module, size: Sequence[int]) -> None:
        super().__init__()
        self.head = head
        self.size = tuple(size)

    def forward(self, *features: Tensor) -> Tensor:
        output: Tensor = self.head(features, self.size)
        return output


def measure_costs(backbone: Backbone, tasks: Sequence[Task], input_shape: Sequence[int]) -> Profile:
    """Measure every part of a backbone once.

    The parts are measured one by one on a single zero sample, so the sum over a tree's parts is the count of
    the built network to the last unit (DESIGN.md, section 3, Units).

    Args:
        backbone: any object with the members of `Backbone`.
        tasks: the tasks whose heads are measured.
        input_shape: shape of one sample, without the batch, e.g. (3, 512, 512).

    Raises:
        InputError: a part is no module, or its output no tensor. Whatever a part's own code raises is raised as it is.
    """
    with torch.random.fork_rng(devices=()):
        inputs = torch.zeros(1, *input_shape)
        stem_cost, features = _measure_part(backbone.make_stem(), (inputs,), "make_stem()")
        block_costs, tapped = [], []
        for l in range(backbone.num_blocks):
            block_cost, features = _measure_part(backbone.make_block(l), (features,), f"make_block({l})")
            block_costs.append(block_cost)
            if l in backbone.taps:
                tapped.append(features)
        heads = {}
        for task in tasks:
            head = _BoundHead(backbone.make_head(task), inputs.shape[2:])
            heads[task.name], _ = _measure_part(head, tuple(tapped), f"make_head({task.name})")
    return Profile(tuple(input_shape), stem_cost, tuple(block_costs), heads)


def count_module(module: nn.Module, inputs: tuple[Tensor, ...]) -> PartCost:
    """The cost of any module on given inputs of one sample, in evaluation mode."""
    return _measure(module, inputs)[0]


def _measure_part(part: Any, inputs: tuple[Tensor, ...], made_by: str) -> tuple[PartCost, Tensor]:
    made = part.head if isinstance(part, _BoundHead) else part
    if not isinstance(made, nn.Module):
        raise InputError(f"{made_by} must give a torch module; found {type(made).__name__}")
    cost, output = _measure(part, inputs)
    if not isinstance(output, Tensor):
        raise InputError(f"the module of {made_by} must give one tensor; found {type(output).__name__}")
    return cost, output


def _measure(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[PartCost, Any]:
    with _evaluation_mode(module), plain_attention():
        with torch.no_grad():
            analysis = FlopCountAnalysis(module, inputs).uncalled_modules_warnings(False)
            analysis.unsupported_ops_warnings(False).tracer_warnings("none").set_op_handle(**HANDLES)
            counted = {name: round(count) for name, count in analysis.by_operator().items()}
            macs = {name: _macs(by_operator) for name, by_operator in analysis.by_module_and_operator().items()}
            without = {name: set(analysis.unsupported_ops(name)) for name in macs}
            seen = count_with_torch(module, inputs)
        apart = uncounted(type(module).__name__, macs, without, seen)
        if isinstance(module, _BoundHead):
            head = type(module.head).__name__
            apart = {replace(one, module=one.module.replace("_BoundHead.head", head)) for one in apart}
        named = {one.operator for one in apart}
        unsupported = {short_name(name): calls for name, calls in analysis.unsupported_ops().items()}
        cost = PartCost(
            macs=macs[""],
            params=sum(parameter.numel() for parameter in module.parameters()),
            by_operator=counted,
            unsupported={name: calls for name, calls in unsupported.items() if name not in named},
            activation_bytes=activation_bytes(module, inputs),
            uncounted=frozenset(apart),
        )
    return cost, seen.output


def _macs(by_operator: Mapping[str, float]) -> int:
    return sum(round(by_operator.get(name, 0)) for name in MAC_OPERATORS)


@contextmanager
def _evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Evaluation mode, and then every submodule's own mode again."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training
