"""A backbone whose stem and first blocks keep their initial weights."""

from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas.networks.backbone.protocol import Backbone
from nas.tasks.task import Task


class FrozenPrefix:
    """A backbone whose stem and first ``num_frozen`` blocks are never trained (`freeze`).

    Use it with pretrained weights, so that all instances of a frozen part have the same weights. All other members are
    those of the given backbone.
    """

    def __init__(self, backbone: Backbone, num_frozen: int) -> None:
        self.backbone = backbone
        self.num_frozen = num_frozen

    @property
    def num_blocks(self) -> int:
        return self.backbone.num_blocks

    @property
    def taps(self) -> tuple[int, ...]:
        return self.backbone.taps

    def make_stem(self) -> nn.Module:
        return freeze(self.backbone.make_stem())

    def make_block(self, l: int) -> nn.Module:
        block = self.backbone.make_block(l)
        return freeze(block) if l < self.num_frozen else block

    def make_head(self, task: Task) -> nn.Module:
        return self.backbone.make_head(task)

    def __getattr__(self, name: str) -> Any:
        # While an instance is copied, Python looks up attributes before __init__ has run.
        if name == "backbone":
            raise AttributeError(name)
        return getattr(self.backbone, name)


def freeze(module: nn.Module) -> nn.Module:
    """Make a module a constant function, which stays in evaluation mode. Inputs still get gradients.

    Parameters become buffers, so optimisers, gradient aggregation and weight decay skip them. BatchNorms become
    constant affine maps, so their statistics are never reset or estimated again.
    """
    return _Frozen(_constant(module.eval()))


class _Frozen(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        super().train(False)

    def forward(self, *inputs: Any) -> Any:
        return self.module(*inputs)

    def train(self, mode: bool = True) -> "_Frozen":
        """Stay in evaluation mode."""
        return self


class _FrozenBatchNorm(nn.Module):
    """A BatchNorm in evaluation mode: (x - mean) / sqrt(var + eps) * weight + bias, all constant but x."""

    running_mean: Tensor
    running_var: Tensor
    weight: Tensor | None
    bias: Tensor | None

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        assert norm.running_mean is not None
        assert norm.running_var is not None
        self.eps = norm.eps
        self.register_buffer("running_mean", norm.running_mean)
        self.register_buffer("running_var", norm.running_var)
        self.register_buffer("weight", None if norm.weight is None else norm.weight.detach())
        self.register_buffer("bias", None if norm.bias is None else norm.bias.detach())

    def forward(self, features: Tensor) -> Tensor:
        return nn.functional.batch_norm(
            features, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
        )


def _constant(module: nn.Module) -> nn.Module:
    # A BatchNorm without running statistics computes the same in both modes, so it can stay.
    if isinstance(module, _BatchNorm) and module.running_mean is not None:
        return _FrozenBatchNorm(module)
    for name, child in module.named_children():
        setattr(module, name, _constant(child))
    for name, parameter in list(module._parameters.items()):
        if parameter is not None:
            delattr(module, name)
            module.register_buffer(name, parameter.detach())
    return module
