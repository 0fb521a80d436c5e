"""The shapes of all tensors of a backbone's parts, by which a run notices that its networks have changed."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from nas.cost import RESOURCES
from nas.cost.resources import PARAMS
from nas.errors import brief
from nas.networks.backbone import Backbone
from nas.tasks import Task
from nas.tree import CostTable

Shapes = Mapping[str, Mapping[str, str]]
"""By part ("stem", "block 0", "head depth") and name, the shape of each parameter and buffer: "16x3x3x3"."""

_LONGEST = 60
"""Most characters that a shape has; a longer text is malformed."""


def part_shapes(backbone: Backbone, tasks: Sequence[Task]) -> Shapes:
    """The shapes of one stem, of each block, and of each task's head."""
    with torch.random.fork_rng(devices=()):
        shapes = {"stem": _shapes(backbone.make_stem())}
        shapes |= {f"block {l}": _shapes(backbone.make_block(l)) for l in range(backbone.num_blocks)}
        return shapes | {f"head {task.name}": _shapes(backbone.make_head(task)) for task in tasks}


def changed_parts(record: Mapping[str, Any], table: CostTable, shapes: Shapes) -> list[str]:
    """In words, the differences between a backbone's parts and the record in a run's ``costs.json``.

    Args:
        record: the content of the file, a well-formed cost table. A record without shapes is of an older version, which
            may have counted MACs differently; then only numbers of parameters are compared.
        table: costs of the parts; milliseconds are not compared.
    """
    then, now = CostTable.from_dict(record), table
    if len(then.blocks) != len(now.blocks):
        return [f"the backbone has {len(now.blocks)} blocks, and had {len(then.blocks)}"]
    known = record.get("shapes")
    changed = [] if not isinstance(known, Mapping) else _changed_shapes(known, shapes)
    counted = [each.name for each in RESOURCES.values() if not each.needs_latency]
    resources = [PARAMS.name] if known is None else counted
    parts = [("stem", then.stem, now.stem)]
    parts += [(f"block {l}", *costs) for l, costs in enumerate(zip(then.blocks, now.blocks, strict=True))]
    parts += [(f"head {name}", then.heads[name], cost) for name, cost in now.heads.items() if name in then.heads]
    for name, before, cost in parts:
        for resource in resources:
            if resource in before and resource in cost and before[resource] != cost[resource]:
                changed.append(f"{name} has {cost[resource]:,} {resource}, and had {before[resource]:,}")
    return changed


def _changed_shapes(then: Mapping[str, Any], now: Shapes) -> list[str]:
    changed = []
    for part, tensors in now.items():
        before = then.get(part)
        before = before if isinstance(before, Mapping) else {}
        changed += [
            f"{part}: {name} is {_in_words(tensors.get(name))}, and was {_in_words(before.get(name))}"
            for name in {**tensors, **before}
            if before.get(name) != tensors.get(name)
        ]
    return changed


def _in_words(shape: Any) -> str:
    if shape is None:
        return "missing"
    return f"of shape {shape if isinstance(shape, str) and len(shape) < _LONGEST else brief(shape)}"


def _shapes(part: nn.Module) -> dict[str, str]:
    return {
        name: "x".join(map(str, tensor.shape)) or "1"
        for name, tensor in part.state_dict().items()
        if isinstance(tensor, Tensor) and not is_lazy(tensor)
    }
