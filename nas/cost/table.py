"""Measuring the cost of a backbone's parts with fvcore, each part in evaluation mode."""

from collections import Counter
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
from nas.cost.resources import MACS, PARAMS, Resource, TracedPart, counted_resources
from nas.cost.torch_count import Uncounted, count_with_torch, plain_attention, short_name, uncounted
from nas.errors import InputError
from nas.networks.backbone import Backbone, block_names
from nas.tasks.task import Task
from nas.tree import BranchTree, CostTable


@dataclass(frozen=True)
class PartCost:
    """What one stem, block or head costs, for one sample.

    ``macs`` is the sum of ``by_operator`` over `MAC_OPERATORS`. ``uncounted`` are the operators whose MACs are missing
    in it or wrong (`nas.cost.torch_count`). ``unsupported`` counts the calls of other operators without a count, such
    as lookups. ``activation_bytes`` is what autograd keeps for the backward pass.
    """

    amounts: Mapping[str, float]
    by_operator: Mapping[str, int]
    unsupported: Mapping[str, int]
    activation_bytes: int
    uncounted: frozenset[Uncounted] = frozenset()

    @property
    def macs(self) -> int:
        return int(self.amounts[MACS.name])

    @property
    def params(self) -> int:
        return int(self.amounts[PARAMS.name])


@dataclass(frozen=True)
class Profile:
    """The measured costs of a backbone's parts for a set of tasks and one size of input.

    ``block_names`` are the backbone's (`nas.networks.backbone.block_names`).
    ``latency``, where a device was measured, adds milliseconds to the table.
    """

    input_shape: tuple[int, ...]
    stem: PartCost
    blocks: tuple[PartCost, ...]
    heads: Mapping[str, PartCost]
    block_names: tuple[str, ...]
    latency: LatencyTable | None = None

    @property
    def table(self) -> CostTable:
        counted = CostTable(
            self.stem.amounts,
            tuple(block.amounts for block in self.blocks),
            {task: head.amounts for task, head in self.heads.items()},
            self.block_names,
        )
        return counted if self.latency is None else self.latency.added_to(counted)

    def macs_by_operator(self, tree: BranchTree) -> dict[str, int]:
        """The MACs of a tree's network, by operator."""
        parts = [self.stem, *(self.heads[task] for task in tree.tasks)]
        for block, num_groups in zip(self.blocks, tree.num_groups, strict=True):
            parts += [block] * num_groups
        total: Counter[str] = Counter()
        for part in parts:
            total.update({name: count for name, count in part.by_operator.items() if name in MAC_OPERATORS})
        return dict(total)

    @property
    def unsupported(self) -> dict[str, int]:
        """How often operators without a count are called, over all parts."""
        total: Counter[str] = Counter()
        for part in self._parts.values():
            total.update(part.unsupported)
        return dict(total)

    @property
    def uncounted(self) -> list[str]:
        """Operators whose MACs are not known, and where: ``["fft_rfft2 in Block.mixer (block 0, block 1)"]``."""
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
    """A head as a module whose arguments are all tensors, as tracing requires."""

    def __init__(self, head: nn.Module, size: Sequence[int]) -> None:
        super().__init__()
        self.head = head
        self.size = tuple(size)

    def forward(self, *features: Tensor) -> Tensor:
        output: Tensor = self.head(features, self.size)
        return output


def measure_costs(
    backbone: Backbone, tasks: Sequence[Task], input_shape: Sequence[int], resource: str | None = None
) -> Profile:
    """Measure every part of a backbone once.

    The parts are measured one by one on a single sample of zeros. Counts are integers, so their sum over a tree's parts
    is exactly the count of the built network.

    Args:
        backbone: any object with the members of `Backbone`.
        tasks: the tasks whose heads are measured.
        input_shape: shape of one sample, without the batch, e.g. (3, 512, 512).
        resource: what to count beside the resources that every cost table has (`nas.cost.resources`).

    Raises:
        InputError: a part is not a module, or its output is not a tensor. Errors in a part's own code pass unchanged.
    """
    resources = counted_resources(resource)
    with torch.random.fork_rng(devices=()):
        inputs = torch.zeros(1, *input_shape)
        stem_cost, features = _measure_part(backbone.make_stem(), (inputs,), resources, "make_stem()")
        block_costs, tapped = [], []
        for l in range(backbone.num_blocks):
            block_cost, features = _measure_part(backbone.make_block(l), (features,), resources, f"make_block({l})")
            block_costs.append(block_cost)
            if l in backbone.taps:
                tapped.append(features)
        heads = {}
        for task in tasks:
            head = _BoundHead(backbone.make_head(task), inputs.shape[2:])
            heads[task.name], _ = _measure_part(head, tuple(tapped), resources, f"make_head({task.name})")
    return Profile(tuple(input_shape), stem_cost, tuple(block_costs), heads, block_names(backbone))


def count_module(module: nn.Module, inputs: tuple[Tensor, ...], resource: str | None = None) -> PartCost:
    """The cost of any module on given inputs of one sample, in evaluation mode; ``resource`` as in `measure_costs`."""
    return _measure(module, inputs, counted_resources(resource))[0]


def _measure_part(
    part: Any, inputs: tuple[Tensor, ...], resources: Sequence[Resource], made_by: str
) -> tuple[PartCost, Tensor]:
    made = part.head if isinstance(part, _BoundHead) else part
    if not isinstance(made, nn.Module):
        raise InputError(f"{made_by} must give a torch module; found {type(made).__name__}")
    cost, output = _measure(part, inputs, resources)
    if not isinstance(output, Tensor):
        raise InputError(f"the module of {made_by} must give one tensor; found {type(output).__name__}")
    return cost, output


def _measure(module: nn.Module, inputs: tuple[Tensor, ...], resources: Sequence[Resource]) -> tuple[PartCost, Any]:
    with _evaluation_mode(module):
        with plain_attention(), torch.no_grad():
            analysis = FlopCountAnalysis(module, inputs).uncalled_modules_warnings(False)
            analysis.unsupported_ops_warnings(False).tracer_warnings("none").set_op_handle(**HANDLES)
            counted = {name: round(count) for name, count in analysis.by_operator().items()}
            macs = {name: _macs(by_operator) for name, by_operator in analysis.by_module_and_operator().items()}
            without = {name: set(analysis.unsupported_ops(name)) for name in macs}
            seen = count_with_torch(module, inputs)
        missed = uncounted(type(module).__name__, macs, without, seen)
        if isinstance(module, _BoundHead):
            head = type(module.head).__name__
            missed = {replace(one, module=one.module.replace("_BoundHead.head", head)) for one in missed}
        named = {one.operator for one in missed}
        unsupported = {short_name(name): calls for name, calls in analysis.unsupported_ops().items()}
        traced = TracedPart(module, inputs, macs[""])
        with plain_attention():
            saved = activation_bytes(module, inputs)
        cost = PartCost(
            amounts={each.name: each.count(traced) for each in resources if each.count is not None},
            by_operator=counted,
            unsupported={name: calls for name, calls in unsupported.items() if name not in named},
            activation_bytes=saved,
            uncounted=frozenset(missed),
        )
    return cost, seen.output


def _macs(by_operator: Mapping[str, float]) -> int:
    return sum(round(by_operator.get(name, 0)) for name in MAC_OPERATORS)


@contextmanager
def _evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, and restore every submodule's own mode afterwards."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training
