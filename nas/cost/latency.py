"""The latency table of a device and runtime: the time that each part of a backbone takes there, a resource like MACs.

`nas.cost.prefixes` says how parts are measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, PositiveInt

from nas.cost.resources import MS
from nas.cost.timing import Timing
from nas.errors import InputError
from nas.files import read_record, write_json_atomically
from nas.tree import CostTable

if TYPE_CHECKING:
    import torch

Runtime = Literal["eager", "compiled", "onnxruntime"]
"""PyTorch in eager mode, PyTorch with `torch.compile`, and onnxruntime on the CPU."""


class LatencyTable(BaseModel):
    """Latencies of stem, blocks and heads, on one device and in one runtime.

    The latency of a tree is predicted by the sum over its parts, like its MACs. The sum ignores what running the parts
    together saves or costs; ``nas profile --latency`` compares it with measured networks.

    Args:
        runtime: what ran the parts. Files from before runtimes were stated have none; they were measured in eager mode.
        device: "cpu" or "cuda", with the name of the hardware.
        num_threads: of the runtime on the CPU.
        batch_size: the latencies are those of a whole batch.
        input_shape: of one sample.
        stem, blocks, heads: milliseconds of each part for a batch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    runtime: Runtime = "eager"
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
    def read(cls, path: Path) -> LatencyTable:
        """Raises InputError if the file is missing or malformed."""
        return read_record(path, cls, "a latency table")

    @property
    def description(self) -> str:
        """What was measured: ``onnxruntime on cpu, 1 thread, batches of 1``."""
        threads = "1 thread" if self.num_threads == 1 else f"{self.num_threads} threads"
        return f"{self.runtime} on {self.device}, {threads}, batches of {self.batch_size}"

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


def describe_device(device: torch.device) -> str:
    """``cpu`` or ``cuda``, with the hardware's name where torch knows it."""
    if device.type == "cuda":
        import torch

        return f"cuda ({torch.cuda.get_device_name(device)})"
    return device.type
