"""The supernet: C candidates of every block, mixed by a routing that is passed in."""

from collections.abc import Iterator, Sequence
from functools import partial
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
        backbone: where stem, blocks and heads come from.
        tasks: T tasks.
        num_candidates: C; T if left out, so that every task can have its own copy.
        equal_start: all candidates of a block start from the same weights, as copies of a pretrained block do
            (BMTAS); else each starts from its own.
        affine_last_norm: keep scale and shift of the last BatchNorm of each candidate. BMTAS leaves them out
            during the search, since the routing's weights scale the candidates already.

    Attributes:
        channel_dims: the dimension of each block's features that holds the channels; None where it is not known.

    Raises:
        InputError: there is no candidate, or a part is refused (`nas.networks.backbone.PartMaker`).
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
            raise InputError(f"a supernet needs at least one candidate a block; found {num_candidates}")
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

    def execute(
        self, *, candidates: Literal["auto", "plain", "batched"] = "plain", checkpoint_activations: bool = False
    ) -> None:
        """Choose how blocks are computed from now on, which changes time and memory but, up to rounding, no number.

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

        A candidate runs once per distinct input, so tasks that have shared every choice so far, as all have at
        block 0, share the work. Candidates of weight zero are skipped where no gradient is asked for, so a
        one-hot routing costs what its tree costs.

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
        """The named tasks' features after each block, x_{l+1,t}, block by block; tasks that share them have one tensor.

        Args:
            stem: x_0, of `start`.
            routing_LTC, tasks: as for `forward`.
        """
        rows = [self.task_names.index(name) for name in tasks]
        assert routing_LTC.shape == (self.num_blocks, len(self.task_names), self.num_candidates)
        # A slice where there is one is a view, which costs next to nothing.
        as_slice = rows == list(range(rows[0], rows[0] + len(rows)))
        routing_LTC = routing_LTC[:, rows[0] : rows[0] + len(rows)] if as_slice else routing_LTC[:, rows]
        weights = None if routing_LTC.requires_grad else routing_LTC.tolist()
        features = [stem] * len(rows)
        for l, routing_TC in enumerate(routing_LTC):
            features = self._mixed(l, features, routing_TC, None if weights is None else weights[l])
            yield features

    def outputs(self, tapped: Sequence[Sequence[Tensor]], tasks: Sequence[str], size: torch.Size) -> dict[str, Tensor]:
        """The named tasks' outputs, from their features after each block that is a tap and the inputs' size."""
        return {
            name: self._runner.head(name, self.heads[name], [features[i] for features in tapped], size)
            for i, name in enumerate(tasks)
        }

    def _mixed(
        self, l: int, features: list[Tensor], routing_TC: Tensor, weights_TC: list[list[float]] | None
    ) -> list[Tensor]:
        """x_{l+1} of each task; the weights are those of the routing, None if their gradient is asked for."""
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
                mixed.append(_sum([scales_C[c] * outputs[id(feature), c] for c in used]))
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


def _sum(terms: list[Tensor]) -> Tensor:
    total, *others = terms
    for term in others:
        total = total + term
    return total


def _make_candidates(make: PartMaker, l: int, num_candidates: int, equal_start: bool) -> list[nn.Module]:
    if not equal_start:
        return [make.block(l) for _ in range(num_candidates)]
    block = make.block(l)
    return [block, *(copied(block) for _ in range(num_candidates - 1))]


def remove_last_affine(block: nn.Module) -> None:
    """Take scale and shift from the last BatchNorm of a block, in the order of its modules, if it has one."""
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]
    if norms:
        norms[-1].affine = False
        norms[-1].register_parameter("weight", None)
        norms[-1].register_parameter("bias", None)


def reset_running_statistics(module: nn.Module) -> None:
    """Forget the running mean and variance of every BatchNorm."""
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.reset_running_stats()
