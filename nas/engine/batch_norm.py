"""BatchNorm over the whole batch when several ranks share it."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from nas.engine.ranks import Ranks


def synchronise_batch_norm(network: nn.Module, ranks: Ranks) -> None:
    """Make every BatchNorm of a network take its statistics in training from the samples of all ranks.

    Parameters, buffers and their names stay. On a GPU, BatchNorms become torch's SyncBatchNorm, which works on GPUs
    only; on the CPU they become `SynchronisedBatchNorm`.
    """
    if ranks.size == 1:
        return
    if ranks.device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return
    for name, child in network.named_children():
        if isinstance(child, _BatchNorm):
            setattr(network, name, SynchronisedBatchNorm(child, ranks))
        else:
            synchronise_batch_norm(child, ranks)


def is_synchronised(module: nn.Module) -> bool:
    """Whether a module exchanges statistics with the other ranks when it runs."""
    return isinstance(module, SynchronisedBatchNorm | nn.SyncBatchNorm)


class SynchronisedBatchNorm(_BatchNorm):
    """A BatchNorm of inputs [B, W, ...] whose statistics in training are those of all ranks' samples.

        mean = sum_r n_r mean_r / n,    var = sum_r (n_r var_r + n_r (mean_r - mean)^2) / n

    The ranks' means and variances are combined; sums of squares would lose precision where the mean is large. Every
    rank combines the same numbers, so running statistics stay equal bit by bit. In evaluation it is a plain BatchNorm.

    Args:
        norm: the BatchNorm whose parameters, buffers and mode it takes over.
        ranks: the ranks that share the batch.
    """

    def __init__(self, norm: _BatchNorm, ranks: Ranks) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        self.ranks = ranks
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self.train(norm.training)

    def forward(self, inputs: Tensor) -> Tensor:
        if not self.training:
            return functional.batch_norm(
                *(inputs, self.running_mean, self.running_var, self.weight, self.bias),
                training=self.running_mean is None,
                eps=self.eps,
            )
        normalised: tuple[Tensor, ...] = _Normalise.apply(  # type: ignore[no-untyped-call]
            inputs, self.weight, self.bias, self.eps, self.ranks
        )
        outputs, mean_W, var_W, count = normalised
        self._keep(mean_W, var_W, count)
        return outputs

    @torch.no_grad()
    def _keep(self, mean_W: Tensor, var_W: Tensor, count: Tensor) -> None:
        """Update the running statistics, with the unbiased variance, as torch does."""
        if self.running_mean is None or self.running_var is None:
            return
        momentum = self.momentum
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if momentum is None:
                momentum = 1.0 / float(self.num_batches_tracked)
        assert momentum is not None
        self.running_mean.lerp_(mean_W.to(self.running_mean), momentum)
        self.running_var.lerp_((var_W * count / (count - 1.0)).to(self.running_var), momentum)


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(var + eps) * weight + bias; its gradient goes through the mean and var of all ranks."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight_W: Tensor | None, bias_W: Tensor | None, eps: float, ranks: Ranks
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        axes = [axis for axis in range(inputs.dim()) if axis != 1]
        wide = inputs if inputs.dtype == torch.float64 else inputs.float()
        var_W, mean_W = torch.var_mean(wide, axes, correction=0)
        count = wide.new_tensor([inputs.numel() // inputs.shape[1]])
        moments_RW = ranks.gather(torch.cat([mean_W, var_W, count])).double()
        means_RW, vars_RW, counts_R1 = torch.split(moments_RW, [len(mean_W), len(mean_W), 1], dim=1)
        total = counts_R1.sum()
        mean_W = (counts_R1 * means_RW).sum(dim=0) / total
        var_W = (counts_R1 * (vars_RW + (means_RW - mean_W) ** 2)).sum(dim=0) / total
        inverse_W = torch.rsqrt(var_W + eps)
        narrow_W = mean_W.to(wide), var_W.to(wide)
        outputs = functional.batch_norm(wide, *narrow_W, weight_W, bias_W, training=False, eps=eps)
        ctx.save_for_backward(inputs, weight_W, mean_W.to(wide), inverse_W.to(wide))
        ctx.axes, ctx.total, ctx.ranks = axes, float(total), ranks
        ctx.mark_non_differentiable(mean_W, var_W, total)
        return outputs.to(inputs.dtype), mean_W, var_W, total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        inputs, weight_W, mean_W, inverse_W = ctx.saved_tensors
        shape = [1, -1, *[1] * (inputs.dim() - 2)]
        slope = slopes[0].to(mean_W)
        standard = (inputs.to(mean_W) - mean_W.view(shape)) * inverse_W.view(shape)
        own_W, own_standard_W = slope.sum(ctx.axes), (slope * standard).sum(ctx.axes)
        inputs_slope = None
        if ctx.needs_input_grad[0]:
            # Every rank adds in the order of the ranks, so that all get the same sums.
            sum_W, sum_standard_W = ctx.ranks.gather(torch.stack([own_W, own_standard_W])).sum(dim=0) / ctx.total
            inner = slope - sum_W.view(shape) - standard * sum_standard_W.view(shape)
            scale_W = inverse_W if weight_W is None else inverse_W * weight_W
            inputs_slope = (inner * scale_W.view(shape)).to(inputs.dtype)
        weight_slope = own_standard_W if ctx.needs_input_grad[1] else None
        return inputs_slope, weight_slope, own_W if ctx.needs_input_grad[2] else None, None, None
