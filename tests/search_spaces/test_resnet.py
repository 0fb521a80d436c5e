"""ResNets: published counts, dilation, granularity."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas.errors import InputError
from nas.tasks.task import Task
from search_spaces.resnet import ResNet

SEMSEG = Task(name="semseg", num_outputs=21, loss="cross_entropy", metrics=("accuracy",))


def num_params(*parts: nn.Module) -> int:
    return sum(p.numel() for part in parts for p in part.parameters())


@pytest.mark.parametrize("granularity", ["block", "stage"])
@pytest.mark.parametrize(("depth", "published"), [(18, 11_689_512), (34, 21_797_672), (50, 25_557_032)])
def test_encoder_has_the_parameters_of_torchvisions_models(depth: Any, published: int, granularity: Any) -> None:
    """``published`` is torchvision's `num_params`; its classifier is a linear layer to 1000."""
    backbone = ResNet(depth, granularity=granularity, decoder="aspp")
    with torch.device("meta"):
        parts = [backbone.make_stem(), *(backbone.make_block(l) for l in range(backbone.num_blocks))]
    classifier = 1000 * ((2048 if depth == 50 else 512) + 1)
    assert num_params(*parts) == published - classifier


def test_aspp_head_has_the_parameters_of_torchvisions_deeplabv3() -> None:
    """deeplabv3_resnet50 has 42,004,074, of which encoder 23,508,032 and auxiliary head 2,365,205."""
    head = ResNet(50, decoder="aspp").make_head(SEMSEG)
    assert num_params(head) == 42_004_074 - 23_508_032 - 2_365_205


@pytest.mark.parametrize(
    ("depth", "granularity", "decoder", "num_blocks", "taps"),
    [
        (18, "block", "deeplabv3plus", 9, (1, 8)),
        (34, "block", "aspp", 16, (15,)),
        (50, "block", "deeplabv3plus", 17, (2, 16)),
        (50, "stage", "deeplabv3plus", 5, (0, 4)),
        (18, "stage", "aspp", 4, (3,)),
    ],
)
def test_blocks_and_taps(depth: Any, granularity: Any, decoder: Any, num_blocks: int, taps: tuple[int, ...]) -> None:
    backbone = ResNet(depth, granularity=granularity, decoder=decoder)
    assert (backbone.num_blocks, backbone.taps) == (num_blocks, taps)


@pytest.mark.parametrize("depth", [18, 50])
def test_dilated_features_are_those_of_the_strided_network_at_every_second_place(depth: Any) -> None:
    torch.manual_seed(0)
    strided, dilated = (ResNet(depth, output_stride=stride, granularity="stage", decoder="aspp") for stride in (16, 8))
    x = y = torch.randn(1, 3, 65, 97)
    for part, other in [
        (strided.make_stem(), dilated.make_stem()),
        *((strided.make_block(l), dilated.make_block(l)) for l in range(4)),
    ]:
        other.load_state_dict(part.state_dict())
        x, y = part.eval()(x), other.eval()(y)
    # Up to 53 convolutions in single precision, summed in another order: some 1e-6 relative to the largest feature.
    torch.testing.assert_close(y[:, :, ::2, ::2], x, rtol=0, atol=1e-5 * x.abs().max().item())


@pytest.mark.parametrize("depth", [18, 50])
def test_last_batch_norm_in_module_order_is_the_last_before_the_addition(depth: Any) -> None:
    """Also in a block with a convolution on its shortcut, whose BatchNorm comes first."""
    backbone = ResNet(depth)
    block = backbone.make_block(backbone.taps[0] + 1)
    assert not isinstance(block.downsample, nn.Identity)
    norms = [name for name, module in block.named_modules() if isinstance(module, _BatchNorm)]
    assert norms[-1] == ("bn3" if depth == 50 else "bn2")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": 101}, r"depth is 101, must be one of 18, 34, 50"),
        ({"output_stride": 32}, r"output_stride is 32, must be one of 16, 8"),
        ({"granularity": "layer"}, r"granularity is 'layer', must be one of 'block', 'stage'"),
        ({"decoder": "fcn"}, r"decoder is 'fcn', must be one of 'deeplabv3plus', 'aspp'"),
        ({"dropout": -0.1}, r"dropout is -0.1"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ResNet(**settings)
