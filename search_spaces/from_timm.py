"""Makes a backbone from a model of timm (PyTorch Image Models)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from nas.errors import InputError, in_one_line
from search_spaces.from_module import Head, ModuleBackbone, from_module, last_of_each_size
from search_spaces.heads import ready_head
from search_spaces.pretrained import PretrainedWeights

Pretrained = bool | str | Path


def from_timm(
    name: str,
    *,
    pretrained: Pretrained = False,
    stem: str | None = None,
    blocks: Sequence[str] | Literal["auto"] = "auto",
    taps: Sequence[int] | Literal["sizes"] | None = "sizes",
    head: Head | None = None,
    input_shape: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> ModuleBackbone:
    """A model of timm as a backbone, without its classifier.

    One model without trained weights is made now, to find its blocks; the backbone's own is made at the first
    ``make_``. The features may be maps with channels first or last, or tokens. Normalise the inputs as the model's
    ``pretrained_cfg`` says.

    Args:
        name: of the model, as in ``timm.list_models()``, such as "convnext_atto".
        pretrained: True downloads timm's weights. A path names a .safetensors, .pth or .pt file with timm's names;
            code in it is never run, and it is opened when the model is made.
        stem, blocks, taps: as in `search_spaces.from_module`, and by default found by the model's structure and sizes.
        head: makes the head of a task, as in `search_spaces.from_module`; by default `ready_head`, which needs tasks
            that state ``dense``. Its linear head reads the mean of all tokens, a class token among them.
        input_shape: of one sample, without the batch; by default the one that the model is made for.
        options: arguments of ``timm.create_model``, such as ``{"img_size": 64, "drop_path_rate": 0.1}``.

    Raises:
        InputError: timm is not installed, it has no such model or option, or the model cannot be cut (see
            `search_spaces.from_module`). When the model is made: the file of weights does not fit it.
    """
    arguments = {"num_classes": 0, **(options or {})}
    for refused in ("pretrained", "checkpoint_path"):
        if refused in arguments:
            raise InputError(f"from_timm: options has {refused!r}: give the weights as `pretrained`")
    # Networks make their own after their seed is set: making this one must not change their weights.
    with torch.random.fork_rng(devices=()):
        model = _create(name, False, arguments)
    shape = tuple(_made_for(model, arguments) if input_shape is None else input_shape)
    if head is None:
        head = ready_head(num_prefix_tokens=int(getattr(model, "num_prefix_tokens", 0)))
    backbone = from_module(
        model, stem=stem, blocks=blocks, head=head, input_shape=shape, taps=None if taps == "sizes" else taps
    )
    backbone = replace(backbone, channel_dim=_channel_dims(model, backbone.feature_shapes))
    if taps == "sizes":
        backbone = replace(backbone, taps=last_of_each_size(backbone))
    return replace(
        backbone,
        source=partial(_create, name, pretrained, arguments),
        weights_report=None if pretrained is False else f"timm's {name}" if pretrained is True else str(pretrained),
    )


def _create(name: str, pretrained: Pretrained, arguments: Mapping[str, Any]) -> nn.Module:
    try:
        import timm
    except ModuleNotFoundError as error:
        if error.name == "timm":
            raise InputError("from_timm: timm is not installed: pip install branched-nas[timm]") from None
        raise InputError(f"from_timm: timm needs {error.name}, which is not installed: install it") from error
    except Exception as error:  # a torchvision that was built for another torch fails in many ways
        raise InputError(
            f"from_timm: timm cannot be imported ({in_one_line(error)}): install the torchvision that belongs to torch "
            f"{torch.__version__}"
        ) from error
    try:
        model: nn.Module = timm.create_model(name, pretrained=pretrained is True, **arguments)
    except Exception as error:  # whatever a model's own code raises
        raise InputError(
            f"from_timm: timm cannot make {name!r} ({in_one_line(error)}): see timm.list_models() and the arguments of "
            "timm.create_model"
        ) from error
    if not isinstance(pretrained, bool):
        PretrainedWeights(Path(pretrained), lambda: {"": model}, "timm").load_into(model, "")
    return model


def _made_for(model: nn.Module, arguments: Mapping[str, Any]) -> tuple[int, int, int]:
    """The shape of one input, as ``img_size`` and ``in_chans`` or else the model's own configuration say."""
    channels, height, width = getattr(model, "pretrained_cfg", {}).get("input_size", (3, 224, 224))
    size = arguments.get("img_size", (height, width))
    height, width = (size, size) if isinstance(size, int) else size
    return arguments.get("in_chans", channels), height, width


def _channel_dims(model: nn.Module, shapes: Sequence[torch.Size]) -> tuple[int, ...]:
    """For each block's features: tokens [B, N, C] and maps [B, H, W, C] have -1, maps [B, C, H, W] have 1."""
    widths = {stage["num_chs"] for stage in getattr(model, "feature_info", [])}
    last = getattr(model, "output_fmt", "NCHW") == "NHWC"

    def channel_dim(shape: torch.Size) -> int:
        if len(shape) == 4 and (shape[1] in widths) != (shape[-1] in widths):
            return 1 if shape[1] in widths else -1
        return -1 if len(shape) == 3 or last else 1

    return tuple(map(channel_dim, shapes))
