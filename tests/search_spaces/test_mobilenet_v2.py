"""MobileNetV2: the counts of the published branched network, its dilation, its width."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from nas.cost import Profile, measure_costs
from nas.errors import InputError
from nas.networks.backbone.protocol import Backbone
from nas.tasks.task import Task
from nas.tree import BranchTree
from search_spaces.mobilenet_v2 import MobileNetV2

# Conv MACs at 512x512 and parameters of the discrete network of github.com/brdav/bmtas at commit e37b8d1
# (src/models.py, BranchMobileNetV2), counted there per module: a hook on every Conv2d, output positions times weights.
PUBLISHED_STEM = (56_623_104, 928)
PUBLISHED_BLOCKS = [
    (52_428_800, 896),
    (152_567_808, 5_136),
    (134_479_872, 8_832),
    (80_805_888, 10_000),
    (57_409_536, 14_848),
    (57_409_536, 14_848),
    (39_518_208, 21_056),
    (53_870_592, 54_272),
    (53_870_592, 54_272),
    (53_870_592, 54_272),
    (66_453_504, 66_624),
    (118_554_624, 118_272),
    (118_554_624, 118_272),
    (156_303_360, 155_264),
    (323_420_160, 320_000),
    (323_420_160, 320_000),
    (480_706_560, 473_920),
    (75_538_432, 115_456),
]
PUBLISHED_HEADS = {
    "semseg": (745_275_392, 46_725),
    "human_parts": (715_915_264, 44_919),
    "sal": (703_332_352, 44_145),
    "normals": (707_526_656, 44_403),
    "edge": (703_332_352, 44_145),
}
NUM_OUTPUTS = {"semseg": 21, "human_parts": 7, "sal": 1, "normals": 3, "edge": 1}
TASKS = [
    Task(name=name, num_outputs=n, loss=nn.functional.mse_loss, metrics=("rmse",)) for name, n in NUM_OUTPUTS.items()
]


@pytest.fixture(scope="module")
def profile() -> Profile:
    return measure_costs(MobileNetV2(), TASKS, (3, 512, 512))


def test_each_part_has_the_published_macs_and_parameters(profile: Profile) -> None:
    assert (profile.stem.macs, profile.stem.params) == PUBLISHED_STEM
    assert [(block.macs, block.params) for block in profile.blocks] == PUBLISHED_BLOCKS
    assert {name: (head.macs, head.params) for name, head in profile.heads.items()} == PUBLISHED_HEADS


@pytest.mark.parametrize(
    ("choice", "macs", "params"),
    [
        (lambda l, t: 0, 6_031_187_968, 2_151_505),
        (lambda l, t: t, 15_627_919_360, 9_856_465),
        (lambda l, t: min(t, l // 4), 11_814_969_344, 7_941_521),
        # Choices that do not refine one another.
        (lambda l, t: 0 if l <= 5 else t >> (l % 3), 13_487_513_600, 9_638_225),
    ],
)
def test_trees_have_the_published_macs_and_parameters(
    profile: Profile, choice: Callable[[int, int], int], macs: int, params: int
) -> None:
    """Totals of the published network built for these choices, as counted from it."""
    tree = BranchTree.from_choices(list(NUM_OUTPUTS), [[choice(l, t) for t in range(5)] for l in range(18)])
    assert profile.table.tree_cost(tree) == {"macs": macs, "params": params}


def test_fvcore_counts_what_the_convolutions_of_the_modules_say() -> None:
    """Positions times weights, from hooks on the meta device, where nothing is computed."""
    with torch.device("meta"):
        assert _conv_macs(MobileNetV2(), torch.zeros(1, 3, 512, 512)) == [macs for macs, _ in PUBLISHED_BLOCKS]


def _conv_macs(backbone: Backbone, inputs: torch.Tensor) -> list[int]:
    counts = [0] * backbone.num_blocks
    features = backbone.make_stem()(inputs)
    for l in range(backbone.num_blocks):
        block = backbone.make_block(l).eval()

        def count(conv: nn.Module, _: object, out: torch.Tensor, l: int = l) -> None:
            counts[l] += out.shape[2] * out.shape[3] * conv.weight.numel()

        for module in block.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(count)
        features = block(features)
    return counts


def test_heads_read_24_channels_at_stride_4_and_128_at_stride_16() -> None:
    backbone = MobileNetV2()
    assert backbone.taps == (2, 17)
    with torch.device("meta"):
        x, shapes = backbone.make_stem()(torch.zeros(2, 3, 64, 96)), []
        for l in range(18):
            x = backbone.make_block(l)(x)
            shapes.append(tuple(x.shape))
    assert [shapes[l] for l in backbone.taps] == [(2, 24, 16, 24), (2, 128, 4, 6)]


def test_dropout_is_in_r_aspp_and_in_training_only() -> None:
    x = torch.randn(2, 320, 4, 4)
    for dropout, differs in ((0.0, False), (0.5, True)):
        block = MobileNetV2(dropout=dropout).make_block(17)
        assert torch.equal(block(x), block(x)) != differs
        block.eval()
        assert torch.equal(block(x), block(x))


def test_dilation_rates_at_output_stride_16() -> None:
    rates = [
        next(m.dilation[0] for m in MobileNetV2().make_block(l).modules() if getattr(m, "kernel_size", 0) == (3, 3))
        for l in range(17)
    ]
    assert rates == [1] * 14 + [2] * 3


@pytest.mark.parametrize("output_stride", [8, 16])
def test_dilated_features_are_those_of_the_strided_network_at_every_nth_place(output_stride: int) -> None:
    """What dilation is for: weights that were trained at stride 32 give the same features, only denser."""
    torch.manual_seed(0)
    strided, dilated = (MobileNetV2(width=0.25, output_stride=stride) for stride in (32, output_stride))
    x = y = torch.randn(1, 3, 65, 97)
    for part, other in [
        (strided.make_stem(), dilated.make_stem()),
        *((strided.make_block(l), dilated.make_block(l)) for l in range(17)),
    ]:
        other.load_state_dict(part.state_dict())
        x, y = part.eval()(x), other.eval()(y)
    step = 32 // output_stride
    # 52 convolutions in single precision, summed in another order: some 1e-6 relative to the largest feature.
    torch.testing.assert_close(y[:, :, ::step, ::step], x, rtol=0, atol=1e-5 * x.abs().max().item())


@pytest.mark.parametrize(
    ("width", "last_channels", "published"),
    # Parameters in millions of torchvision's mobilenet_v2 and timm's mobilenetv2_035, _050 and _140, with their
    # classifier: a 1x1 convolution with BatchNorm and a linear layer to 1000.
    [(1.0, 1280, 3.504872), (0.35, 1280, 1.68), (0.5, 1280, 1.97), (1.4, 1792, 6.11)],
)
def test_width_multiplies_channels_as_in_published_models(width: float, last_channels: int, published: float) -> None:
    backbone = MobileNetV2(width=width)
    parts = [backbone.make_stem(), *(backbone.make_block(l) for l in range(17))]
    encoder = sum(p.numel() for part in parts for p in part.parameters())
    channels = backbone.make_block(16).conv[-1].num_features
    classifier = last_channels * (channels + 2) + 1000 * (last_channels + 1)
    digits = 6 if width == 1.0 else 2
    assert round((encoder + classifier) / 1e6, digits) == published


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 0.0}, r"width is 0.0, must be above 0"),
        ({"width": float("nan")}, r"width is nan"),
        ({"output_stride": 4}, r"output_stride is 4, must be 8, 16 or 32"),
        ({"dropout": 1.0}, r"dropout is 1.0"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MobileNetV2(**settings)
