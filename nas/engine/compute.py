"""How networks compute: precision, memory format and compilation, in the search and in retraining.

A training loop uses the settings in five places:

    settings.prepare(network)                                  once, before its optimiser is made
    scaler = settings.scaler(device)                           once
    with settings.autocast(device):
        outputs = settings.outputs(network(settings.inputs(batch.inputs)))
    scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()
"""

import os
import shutil
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from nas.errors import InputError
from nas.fields import Settings

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

_COMPILED_PARTS = 1024
"""How often torch may recompile one piece of code; each different block of a network is one compilation."""


class ComputeSettings(Settings):
    """Precision, memory format and compilation. With the defaults every method returns what it is given.

    Args:
        precision: of convolutions, linear layers and matrix products, by torch's autocast; weights, losses and
            optimiser states stay in float32. "float16" needs a CUDA device and scales the loss against underflow.
        channels_last: store images with their channels innermost, which often makes convolutions faster.
        compile: compile stem, blocks and heads with `torch.compile`, each separately, since every step may run other
            ones. It needs a C++ compiler, and takes minutes at the start.
    """

    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    channels_last: bool = False
    compile: bool = False

    def autocast(self, device: torch.device) -> torch.autocast:
        """The context manager of a forward pass; losses are computed outside of it, from `outputs`.

        Raises:
            InputError: the precision is float16 and the device is not a CUDA device.
        """
        if self.precision == "float16" and device.type != "cuda":
            raise InputError(
                f"compute.precision: float16 needs a CUDA device, this one is {device.type}; use bfloat16 or float32"
            )
        dtype = _DTYPES[self.precision]
        # torch warns about float32 even where autocast is off.
        return torch.autocast(
            device.type, dtype=None if dtype is torch.float32 else dtype, enabled=dtype is not torch.float32
        )

    def scaler(self, device: torch.device) -> torch.amp.GradScaler:
        """Scales the loss for float16, and passes it through otherwise. Checkpoints must hold its state."""
        self.autocast(device)
        return torch.amp.GradScaler(device.type, enabled=self.precision == "float16")

    def prepare(self, network: nn.Module) -> nn.Module:
        """Put the network's weights into the memory format, and let its parts be compiled when they first run.

        Returns:
            the same network; the names in its state dict stay.

        Raises:
            InputError: `compile` is set, and there is no C++ compiler.
        """
        if self.channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.compile:
            _require_compiler()
            torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _COMPILED_PARTS)
            torch._dynamo.config.accumulated_recompile_limit = max(
                torch._dynamo.config.accumulated_recompile_limit, _COMPILED_PARTS
            )
            for part in network.children():
                _compile(part)
        return network

    def inputs(self, inputs: Tensor) -> Tensor:
        """Inputs in the memory format; only images [B, channels, height, width] change."""
        if self.channels_last and inputs.dim() == 4:
            return inputs.contiguous(memory_format=torch.channels_last)
        return inputs

    def outputs(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A network's outputs in float32, which all losses and metrics accept."""
        if self.precision == "float32":
            return dict(outputs)
        return {name: output.float() for name, output in outputs.items()}


def _compile(part: nn.Module) -> None:
    if isinstance(part, nn.ModuleList | nn.ModuleDict):
        for member in part.children():
            _compile(member)
    else:
        part.compile()


def _require_compiler() -> None:
    named = os.environ.get("CXX")
    if not any(shutil.which(name) for name in ([named] if named else ["g++", "c++", "clang++", "cl"])):
        raise InputError(
            f"compute.compile: found no C++ compiler ({named or 'g++, clang++'}); install one, or set compile to false"
        )
