"""The latency table of a device: the time that each part of a backbone takes there, a resource like MACs."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, PositiveInt
from torch import Tensor, nn

from nas.cost.resources import MS
from nas.cost.timing import Timing, time_calls
from nas.errors import InputError
from nas.files import read_record, write_json_atomically
from nas.networks.backbone.protocol import Backbone
from nas.tasks.task import Task
from nas.tree import CostTable


class LatencyTable(BaseModel):
    """Latencies of stem, blocks and heads, each measured alone, on one device.

    The latency of a tree is predicted by the sum over its parts, like its MACs. The sum ignores what running the parts
    together saves or costs; ``nas profile --latency`` compares it with measured networks.

    Args:
        device: "cpu" or "cuda", with the name of the hardware.
        num_threads: of torch on the CPU.
        batch_size: the latencies are those of a whole batch.
        input_shape: of one sample.
        stem, blocks, heads: milliseconds of each part for a batch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    device: str
    num_threads: PositiveInt
    batch_size: PositiveInt
    input_shape: tuple[PositiveInt, ...]
    stem: Timing
    blocks: tuple[Timing, ...]
    heads: dict[str, Timing]

    def write(self, path: Path) -> None:
        write_json_atomically(path, self.model_dump())

    @classmethod
    def read(cls, path: Path) -> "LatencyTable":
        """Raises InputError if the file is missing or malformed."""
        return read_record(path, cls, "a latency table")

    def added_to(self, table: CostTable) -> CostTable:
        """A cost table of the same blocks and (at most) these tasks, with milliseconds as a further resource."""
        return CostTable(
            {**table.stem, MS.name: self.stem.median},
            tuple({**cost, MS.name: part.median} for cost, part in zip(table.blocks, self.blocks, strict=True)),
            {task: {**cost, MS.name: self.heads[task].median} for task, cost in table.heads.items()},
            table.block_names,
        )

    def check_fits(self, num_blocks: int, tasks: Sequence[str], input_shape: Sequence[int], where: str) -> None:
        """InputError unless the table is of these blocks, (at least) these tasks and this size of input."""
        missing = [task for task in tasks if task not in self.heads]
        if len(self.blocks) != num_blocks or missing or tuple(input_shape) != self.input_shape:
            raise InputError(
                f"{where}: is for {len(self.blocks)} blocks, tasks {', '.join(self.heads)} and inputs "
                f"{list(self.input_shape)}; the experiment has {num_blocks} blocks, tasks {', '.join(tasks)} and "
                f"inputs {list(input_shape)}; measure the latencies again with nas.profile"
            )


def measure_latency(
    backbone: Backbone,
    tasks: Sequence[Task],
    input_shape: Sequence[int],
    *,
    device: torch.device,
    batch_size: int = 1,
    rounds: int = 20,
) -> LatencyTable:
    """Time every part of a backbone alone, eagerly and in evaluation mode, on random inputs.

    Args:
        input_shape: of one sample, without the batch.
        device: what to measure; on a CPU with torch's present number of threads.
        batch_size: samples a call.
        rounds: calls of each part; see `time_calls`.
    """
    with torch.random.fork_rng(devices=()), torch.inference_mode():
        torch.manual_seed(0)
        inputs = torch.randn(batch_size, *input_shape, device=device)
        stem = _placed(backbone.make_stem(), device)
        calls: dict[str, Callable[[], object]] = {"stem": partial(stem, inputs)}
        features: Tensor = stem(inputs)
        tapped = []
        for l in range(backbone.num_blocks):
            block = _placed(backbone.make_block(l), device)
            calls[f"block {l}"] = partial(block, features)
            features = block(features)
            if l in backbone.taps:
                tapped.append(features)
        for task in tasks:
            head = _placed(backbone.make_head(task), device)
            calls[f"head {task.name}"] = partial(head, tuple(tapped), inputs.shape[2:])
    timings = time_calls(calls, device=device, rounds=rounds)
    return LatencyTable(
        device=describe_device(device),
        num_threads=torch.get_num_threads(),
        batch_size=batch_size,
        input_shape=tuple(input_shape),
        stem=timings["stem"],
        blocks=tuple(timings[f"block {l}"] for l in range(backbone.num_blocks)),
        heads={task.name: timings[f"head {task.name}"] for task in tasks},
    )


def describe_device(device: torch.device) -> str:
    """``cpu`` or ``cuda``, with the hardware's name where torch knows it."""
    if device.type == "cuda":
        return f"cuda ({torch.cuda.get_device_name(device)})"
    return device.type


def _placed(part: nn.Module, device: torch.device) -> nn.Module:
    return part.to(device).eval()
