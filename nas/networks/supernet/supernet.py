"""The supernet: C candidates of every block, mixed by a routing, an argument of the forward pass."""

import operator
from collections.abc import Iterator, Sequence
from functools import partial, reduce
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas.errors import InputError
from nas.networks.backbone import Backbone, PartMaker, PartRunner, copied, stated_channel_dims
from nas.networks.supernet.batched import BatchedCandidates
from nas.networks.supernet.recompute import recomputed
from nas.tasks.task import Task

BATCHED_UP_TO = 2**22
"""Weights of a candidate times samples and positions up to which "auto" batches candidates on the CPU.

About the multiply-adds of a candidate. Measured on one core, a step was 2 to 3 times faster at half of it and below, a
little faster at twice, and up to half slower with MobileNetV2, whose convolutions each fill the core by themselves.
"""


class Supernet(nn.Module):
    """A shared stem, C candidates at each of L blocks, and a head per task.

    It holds weights only. Which candidates a task uses is the routing, an argument of `forward`; the logits
    belong to the search.

    Args:
        backbone: makes stem, blocks and heads.
        tasks: T tasks.
        num_candidates: C; by default T, so that every task can have its own copy.
        equal_start: whether all candidates of a block start from the same weights, as copies of a pretrained block do
            (BMTAS).
        affine_last_norm: whether the last BatchNorm of each candidate has scale and shift. BMTAS leaves them out
            during the search, since the routing's weights already scale the candidates.

    Attributes:
        channel_dims: the dimension that holds the channels of each block's features; None if it is not known.

    Raises:
        InputError: ``num_candidates`` is below 1, or `nas.networks.backbone.PartMaker` refuses a part.
    """

    def __init__(
        self,
        backbone: Backbone,
        tasks: Sequence[Task],
        num_candidates: int | None = None,
        *,
        equal_start: bool = True,
        affine_last_norm: bool = True,
    ) -> None:
        super().__init__()
        self.task_names = tuple(task.name for task in tasks)
        self.num_candidates = len(tasks) if num_candidates is None else num_candidates
        self.taps = tuple(backbone.taps)
        if self.num_candidates < 1:
            raise InputError(f"a supernet needs at least one candidate per block; found {num_candidates}")
        self.channel_dims = stated_channel_dims(backbone)
        make = PartMaker(backbone)
        self.stem = make.stem()
        self.blocks = nn.ModuleList(
            nn.ModuleList(_make_candidates(make, l, self.num_candidates, equal_start))
            for l in range(backbone.num_blocks)
        )
        if not affine_last_norm:
            for block in self.blocks:
                for candidate in block.children():
                    remove_last_affine(candidate)
        self.heads = nn.ModuleDict({task.name: make.head(task) for task in tasks})
        self._runner = PartRunner()
        self.set_execution()

    @property
    def num_blocks(self) -> int:
        return len(self.blocks)

    def set_execution(
        self, *, candidates: Literal["auto", "plain", "batched"] = "plain", checkpoint_activations: bool = False
    ) -> None:
        """Choose how later calls compute blocks. It changes time and memory, and results only by rounding.

        Args:
            candidates: "plain" runs a block's candidates one after another; "batched" runs them as one computation
                where the block can be batched (`BatchedCandidates`); "auto" does so on a GPU, and where they are small.
            checkpoint_activations: keep only the inputs of candidates for the backward pass, and run them again there.
        """
        self._candidates = candidates
        self._checkpoint = checkpoint_activations
        self._batched = [
            BatchedCandidates(f"block {l}", list(block.children()), checkpoint_activations)
            for l, block in enumerate(self.blocks)
        ]

    def forward(self, inputs: Tensor, routing_LTC: Tensor, tasks: Sequence[str] | None = None) -> dict[str, Tensor]:
        """Outputs of the tasks (all, or those named) under a routing.

            x_{l+1,t} = sum_c routing[l, t, c] * block[l][c](x_{l,t})

        A candidate runs once per distinct input, so tasks with equal choices so far share the work, as all tasks do at
        block 0. Candidates of weight zero are skipped if the routing needs no gradient, so a one-hot routing costs what
        its tree costs.

        Args:
            inputs: [B, ...].
            routing_LTC: [L, T, C], rows summing to one.
            tasks: names of the tasks to run.
        """
        names = self.task_names if tasks is None else tuple(tasks)
        features = self.features(self.start(inputs), routing_LTC, names)
        tapped = [block for l, block in enumerate(features) if l in self.taps]
        return self.outputs(tapped, names, inputs.shape[2:])

    def start(self, inputs: Tensor) -> Tensor:
        """The stem's output, x_0."""
        return self._runner.stem(self.stem, inputs)

    def features(self, stem: Tensor, routing_LTC: Tensor, tasks: Sequence[str]) -> Iterator[list[Tensor]]:
        """Yield after each block the features x_{l+1,t} of the named tasks; tasks that share features get one tensor.

        Args:
            stem: x_0, from `start`.
            routing_LTC, tasks: as for `forward`.
        """
        rows = [self.task_names.index(name) for name in tasks]
        assert routing_LTC.shape == (self.num_blocks, len(self.task_names), self.num_candidates)
        # Consecutive rows are taken as a slice, which is a view and nearly free.
        as_slice = rows == list(range(rows[0], rows[0] + len(rows)))
        routing_LTC = routing_LTC[:, rows[0] : rows[0] + len(rows)] if as_slice else routing_LTC[:, rows]
        weights = None if routing_LTC.requires_grad else routing_LTC.tolist()
        features = [stem] * len(rows)
        for l, routing_TC in enumerate(routing_LTC):
            features = self._mixed(l, features, routing_TC, None if weights is None else weights[l])
            yield features

    def outputs(self, tapped: Sequence[Sequence[Tensor]], tasks: Sequence[str], size: torch.Size) -> dict[str, Tensor]:
        """The outputs of the named tasks, from their features after each tap and the spatial size of the inputs."""
        return {
            name: self._runner.head(name, self.heads[name], [features[i] for features in tapped], size)
            for i, name in enumerate(tasks)
        }

    def _mixed(
        self, l: int, features: list[Tensor], routing_TC: Tensor, weights_TC: list[list[float]] | None
    ) -> list[Tensor]:
        """x_{l+1} of each task; ``weights_TC`` is the routing as numbers, or None if it needs a gradient."""
        mixed = self._batched[l].mixed(features, routing_TC, weights_TC) if self._is_batched(l, features[0]) else None
        if mixed is not None:
            return mixed
        outputs: dict[tuple[int, int], Tensor] = {}
        mixed = []
        for row, feature in enumerate(features):
            scales_C = routing_TC[row] if weights_TC is None else weights_TC[row]
            used = [c for c in range(self.num_candidates) if weights_TC is None or scales_C[c] != 0.0]
            for c in used:
                if (id(feature), c) not in outputs:
                    outputs[id(feature), c] = self._run(l, c, feature)
            if weights_TC is not None and len(used) == 1 and scales_C[used[0]] == 1.0:
                mixed.append(outputs[id(feature), used[0]])
            else:
                mixed.append(reduce(operator.add, [scales_C[c] * outputs[id(feature), c] for c in used]))
        return mixed

    def _run(self, l: int, c: int, feature: Tensor) -> Tensor:
        candidate = self.blocks[l][c]  # type: ignore[index]
        run = partial(self._runner.block, l, candidate)
        if self._checkpoint and torch.is_grad_enabled():
            return recomputed(candidate, feature, run)
        return run(feature)

    def _is_batched(self, l: int, feature: Tensor) -> bool:
        if self._candidates == "auto":
            num_positions = feature.numel() // max(1, feature.shape[1:2].numel())
            return feature.is_cuda or num_positions * self._batched[l].num_weights <= BATCHED_UP_TO
        return self._candidates == "batched"


def _make_candidates(make: PartMaker, l: int, num_candidates: int, equal_start: bool) -> list[nn.Module]:
    if not equal_start:
        return [make.block(l) for _ in range(num_candidates)]
    block = make.block(l)
    return [block, *(copied(block) for _ in range(num_candidates - 1))]


def remove_last_affine(block: nn.Module) -> None:
    """Remove scale and shift of a block's last BatchNorm (in the order of its modules), if it has one."""
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]
    if norms:
        norms[-1].affine = False
        norms[-1].register_parameter("weight", None)
        norms[-1].register_parameter("bias", None)


def reset_running_statistics(module: nn.Module) -> None:
    """Reset the running mean and variance of every BatchNorm."""
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.reset_running_stats()
