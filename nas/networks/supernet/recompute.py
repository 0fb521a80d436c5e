"""Activation checkpointing: the backward pass computes a block's activations again, so they need not be kept."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def recomputed(block: nn.Module, features: Tensor, run: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """``block(features)``, keeping only its input and output for the backward pass (Chen et al., 2016).

    Outputs, gradients and the BatchNorms' running statistics are those of a plain call: the second run, in the
    backward pass, draws the same random numbers and does not update the statistics.

    Args:
        run: calls the block; the block itself by default.
    """
    outputs: Tensor = checkpoint(run or block, features, use_reentrant=False, context_fn=partial(_contexts, block))
    return outputs


def _contexts(block: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _StatisticsAtRest(block)


class _StatisticsAtRest:
    """A context in which BatchNorms do not update their statistics; torch enters it once for every backward pass.

    The statistics stay in their BatchNorms, because both runs must save the same tensors for the backward pass.
    """

    def __init__(self, block: nn.Module) -> None:
        self._norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]

    def __enter__(self) -> None:
        self._before = [(norm.momentum, norm.num_batches_tracked) for norm in self._norms]
        for norm in self._norms:
            norm.momentum, norm.num_batches_tracked = 0.0, None

    def __exit__(self, *error: object) -> None:
        for norm, (momentum, num_batches) in zip(self._norms, self._before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, num_batches
