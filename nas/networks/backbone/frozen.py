"""A backbone whose stem and first blocks keep the weights that they start from."""

from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas.networks.backbone.protocol import Backbone
from nas.tasks.task import Task


class FrozenPrefix:
    """A backbone of which the stem and the first ``num_frozen`` blocks are never trained (`freeze`).

    It is for pretrained weights: every module that is made of the prefix should start from the same ones. Other
    members of the backbone are its own.
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
        # Python also asks before __init__, when an instance is copied.
        if name == "backbone":
            raise AttributeError(name)
        return getattr(self.backbone, name)


def freeze(module: nn.Module) -> nn.Module:
    """The module as a constant function: in evaluation mode for good, its parameters as buffers.

    What is no parameter no optimiser, no gradient aggregation and no weight decay finds, and what is no BatchNorm
    nobody resets or estimates anew. Inputs still get gradients.
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
    """A BatchNorm in evaluation mode: (x - mean) / sqrt(var + eps) * weight + bias with constants."""

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
    # Without running statistics a BatchNorm computes the same in both modes.
    if isinstance(module, _BatchNorm) and module.running_mean is not None:
        return _FrozenBatchNorm(module)
    for name, child in module.named_children():
        setattr(module, name, _constant(child))
    for name, parameter in list(module._parameters.items()):
        if parameter is not None:
            delattr(module, name)
            module.register_buffer(name, parameter.detach())
    return module
