"""Measuring the latencies of a backbone's parts: by the difference of two prefixes of a network.

A prefix is the network from the inputs to the output of one part: the stem, the stem and blocks 0 to l, or the stem,
all blocks and a head. A part costs what its prefix takes longer than the prefix that ends before it. A part that is
timed alone differs from one in a network. In onnxruntime it pays for a call and for changing the layout of its input
and output, which a network does once; a sum of such parts is 12 to 25 % too large on MobileNetV2 at 128 x 128. In
PyTorch it finds its input and weights in the processor's cache.

The sum over a single-task network is then the latency of a prefix, and an error of one prefix counts only where a tree
branches. The stem's latency contains what a call costs, which each network pays once.

A part does not cost less than nothing, so the latencies are those with the least squared relative errors among all that
are at least 0 (`fit_parts`). Prefixes and networks are timed in turns, so that a disturbance affects all of them.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from torch import Tensor, nn

from nas.cost.latency import LatencyTable, Runtime, describe_device
from nas.cost.timing import Call, Timing
from nas.engine.compute import ComputeSettings
from nas.networks.backbone import Backbone, PartMaker, PartRunner
from nas.tasks.task import Task


@dataclass(frozen=True)
class Prefixes:
    """The prefixes of a backbone's networks as calls that can be timed, and what the table says of them.

    Args:
        calls: one for each part: the stem, the L blocks, the T heads.
        runtime, device, num_threads, batch_size, input_shape: as in `LatencyTable`.
        tasks: names, in the order of the heads.
    """

    calls: Sequence[Call]
    runtime: Runtime
    device: str
    num_threads: int
    batch_size: int
    input_shape: tuple[int, ...]
    tasks: tuple[str, ...]

    def table(self, timed: Sequence[Sequence[float]]) -> LatencyTable:
        """The latency table.

        Its medians are fitted to the prefixes' medians. ``low`` and ``high`` are deciles of the fits to each round
        alone.

        Args:
            timed: the milliseconds of each call, one for each round.
        """
        num_blocks = len(self.calls) - 1 - len(self.tasks)
        medians = fit_parts([statistics.median(rounds) for rounds in timed], num_blocks)
        by_round = [fit_parts(one, num_blocks) for one in zip(*timed, strict=True)]
        low, high = np.quantile(by_round, (0.1, 0.9), axis=0)
        stem, *others = [
            Timing(median=median, low=min(least, median), high=max(most, median))
            for median, least, most in zip(medians.tolist(), low.tolist(), high.tolist(), strict=True)
        ]
        return LatencyTable(
            runtime=self.runtime,
            device=self.device,
            num_threads=self.num_threads,
            batch_size=self.batch_size,
            input_shape=self.input_shape,
            stem=stem,
            blocks=tuple(others[:num_blocks]),
            heads=dict(zip(self.tasks, others[num_blocks:], strict=True)),
        )


def fit_parts(milliseconds: Sequence[float], num_blocks: int) -> NDArray[np.float64]:
    """The latencies of parts from those of the prefixes that end at them.

    A prefix takes the sum of its parts: the stem's its own, block l's also blocks 0 to l, a head's all blocks and the
    head. The result has the least sum of squared relative errors among latencies of at least 0.

    Args:
        milliseconds: above 0, of the prefixes that end at the stem, at each of L blocks, and at each of T heads.

    Returns:
        milliseconds of the parts, [1 + L + T], in the same order.

    >>> fit_parts([2.0, 5.0, 9.0, 10.0, 9.5], num_blocks=2).round(6).tolist()
    [2.0, 3.0, 4.0, 1.0, 0.5]
    """
    num_parts = len(milliseconds)
    contains = np.tri(num_parts)
    # The prefix of a head contains no other head.
    contains[:, 1 + num_blocks :] = np.eye(num_parts)[:, 1 + num_blocks :]
    relative = contains / np.asarray(milliseconds)[:, None]
    fitted, _ = nnls(relative, np.ones(num_parts))
    return np.asarray(fitted)


def torch_prefixes(
    backbone: Backbone,
    tasks: Sequence[Task],
    input_shape: Sequence[int],
    *,
    device: torch.device,
    runtime: Literal["eager", "compiled"] = "eager",
    batch_size: int = 1,
) -> Prefixes:
    """The prefixes of a backbone in PyTorch, in evaluation mode, on random inputs.

    Args:
        input_shape: of one sample, without the batch.
        device: what to measure; on a CPU with torch's present number of threads.
        batch_size: samples a call.

    Raises:
        InputError: parts are to be compiled, and there is no C++ compiler.
    """
    settings, run = ComputeSettings(compile=runtime == "compiled"), PartRunner()

    def placed(part: nn.Module) -> nn.Module:
        settings.prepare(nn.ModuleList([part]))
        return part.to(device).eval()

    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        inputs = torch.randn(batch_size, *input_shape, device=device)
        make = PartMaker(backbone)
        stem = placed(make.stem())
        blocks = [placed(make.block(l)) for l in range(backbone.num_blocks)]
        heads = {task.name: placed(make.head(task)) for task in tasks}

    def run_blocks(num_blocks: int) -> list[Tensor]:
        features, tapped = run.stem(stem, inputs), []
        for l, block in enumerate(blocks[:num_blocks]):
            features = run.block(l, block, features)
            if l in backbone.taps:
                tapped.append(features)
        return tapped

    def run_head(task: str) -> Tensor:
        return run.head(task, heads[task], run_blocks(len(blocks)), inputs.shape[2:])

    until: list[Callable[[], object]] = [partial(run_blocks, l) for l in range(len(blocks) + 1)]
    return Prefixes(
        calls=[*until, *(partial(run_head, task.name) for task in tasks)],
        runtime=runtime,
        device=describe_device(device),
        num_threads=torch.get_num_threads(),
        batch_size=batch_size,
        input_shape=tuple(input_shape),
        tasks=tuple(heads),
    )
