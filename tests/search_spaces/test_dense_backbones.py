"""What every backbone for dense tasks promises, on random tasks and odd sizes."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas.networks.backbone.protocol import Backbone
from nas.tasks.task import Task
from search_spaces.aspp import ASPP
from search_spaces.from_module import from_module
from search_spaces.heads import DeepLabV3PlusHead, ready_head
from search_spaces.mobilenet_v2 import MobileNetV2
from search_spaces.resnet import ResNet

IMAGE_TASKS = ("scene",)


def chain() -> Backbone:
    """A module cut in three, whose second block starts with an activation in place."""
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2),
        nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(inplace=True)),
        nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(16, 24, 3, padding=1), nn.BatchNorm2d(24)),
        nn.AdaptiveAvgPool2d(1),
    )

    def head(task: Task) -> nn.Module:
        return DeepLabV3PlusHead(16, 24, task.num_outputs, activation=nn.ReLU)

    return from_module(module, stem="0", blocks=["1", "2"], taps=(0, 1), head=head)


def found_chain() -> Backbone:
    """A module whose blocks and channels are found, with ready heads."""
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2),
        nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(inplace=True)),
        nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(16, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU()),
        nn.Conv2d(24, 24, 3, padding=1),
        nn.BatchNorm2d(24),
        nn.AdaptiveAvgPool2d(1),
    )
    return from_module(module, blocks="auto", taps="sizes", head=ready_head(), input_shape=(3, 64, 64))


BACKBONES: dict[str, Callable[[], Backbone]] = {
    "mobilenet_v2": lambda: MobileNetV2(width=0.25, image_tasks=IMAGE_TASKS),
    "mobilenet_v2 at 8": lambda: MobileNetV2(width=0.25, output_stride=8, dropout=0.1, image_tasks=IMAGE_TASKS),
    "resnet18": lambda: ResNet(18, image_tasks=IMAGE_TASKS),
    "resnet50 in stages": lambda: ResNet(50, granularity="stage", image_tasks=IMAGE_TASKS),
    "resnet18 with aspp heads": lambda: ResNet(18, output_stride=8, decoder="aspp", image_tasks=IMAGE_TASKS),
    "from_module": chain,
    "from_module with auto": found_chain,
}
every_backbone = pytest.mark.parametrize("name", list(BACKBONES))


def task(name: str, num_outputs: int, dense: bool | None = True) -> Task:
    return Task(name=name, num_outputs=num_outputs, loss="l1", metrics=("rmse",), dense=dense)


def features_of(backbone: Backbone, inputs: Tensor) -> tuple[Tensor, ...]:
    """The blocks in sequence; each takes what the one before gives."""
    x, tapped = backbone.make_stem()(inputs), []
    for l in range(backbone.num_blocks):
        x = backbone.make_block(l)(x)
        if l in backbone.taps:
            tapped.append(x)
    return tuple(tapped)


@every_backbone
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.tuples(st.integers(33, 80), st.integers(33, 80)),
    num_outputs=st.lists(st.integers(1, 21), min_size=1, max_size=3),
)
def test_dense_outputs_have_the_size_of_the_input(name: str, size: tuple[int, int], num_outputs: list[int]) -> None:
    backbone = BACKBONES[name]()
    assert isinstance(backbone, Backbone)
    features = features_of(backbone, torch.randn(2, 3, *size))
    assert len(features) == len(backbone.taps)
    for i, n in enumerate(num_outputs):
        head = backbone.make_head(task(f"task{i}", n))
        assert head(features, torch.Size(size)).shape == (2, n, *size)


@every_backbone
def test_outputs_at_65x97_depend_on_every_parameter(name: str) -> None:
    """Else a part would be built and not used."""
    torch.manual_seed(0)
    backbone = BACKBONES[name]()
    parts = nn.ModuleList([backbone.make_stem(), *(backbone.make_block(l) for l in range(backbone.num_blocks))])
    head = backbone.make_head(task("depth", 1))
    x, tapped = torch.randn(2, 3, 65, 97), []
    for l, part in enumerate(parts):
        x = part(x)
        if l - 1 in backbone.taps:
            tapped.append(x)
    out = head(tuple(tapped), (65, 97))
    assert out.shape == (2, 1, 65, 97)
    (out * torch.randn_like(out)).sum().backward()
    unused = [n for n, p in nn.ModuleList([parts, head]).named_parameters() if p.grad is None]
    assert unused == []


@every_backbone
def test_every_call_makes_parameters_of_its_own(name: str) -> None:
    backbone = BACKBONES[name]()
    makers = [backbone.make_stem, lambda: backbone.make_head(task("depth", 1))]
    makers += [lambda l=l: backbone.make_block(l) for l in range(backbone.num_blocks)]
    for make in makers:
        first, second = make(), make()
        tensors = [{t.data_ptr() for t in (*m.parameters(), *m.buffers()) if t.numel()} for m in (first, second)]
        assert tensors[0]
        assert not tensors[0] & tensors[1]
        assert list(first.state_dict()) == list(second.state_dict())


@every_backbone
def test_taps_ascend_to_the_last_block(name: str) -> None:
    backbone = BACKBONES[name]()
    assert list(backbone.taps) == sorted(set(backbone.taps))
    assert backbone.taps[0] >= 0
    assert backbone.taps[-1] == backbone.num_blocks - 1


@every_backbone
def test_module_order_is_execution_order(name: str) -> None:
    """The last BatchNorm in the order of the modules is the last to run, in every block."""
    backbone = BACKBONES[name]()
    x = backbone.make_stem()(torch.randn(2, 3, 33, 33))
    for l in range(backbone.num_blocks):
        block = backbone.make_block(l)
        run: list[nn.Module] = []
        norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]
        for norm in norms:
            norm.register_forward_hook(lambda module, *_, run=run: run.append(module))
        x = block(x)
        assert [id(module) for module in run] == [id(module) for module in norms]


@every_backbone
def test_a_block_leaves_its_input_as_it_is(name: str) -> None:
    """Other candidates and the heads read the same features."""
    backbone = BACKBONES[name]()
    x = backbone.make_stem()(torch.randn(2, 3, 33, 33))
    for l in range(backbone.num_blocks):
        before = x.clone()
        y = backbone.make_block(l)(x)
        assert torch.equal(x, before)
        x = y


@pytest.mark.parametrize("name", [name for name in BACKBONES if name != "from_module"])
def test_image_tasks_get_one_row_per_image(name: str) -> None:
    backbone = BACKBONES[name]()
    features = features_of(backbone, torch.randn(2, 3, 33, 47))
    assert backbone.make_head(task("scene", 5, dense=False))(features, (33, 47)).shape == (2, 5)
    if hasattr(backbone, "image_tasks"):
        assert backbone.make_head(task("scene", 5, dense=None))(features, (33, 47)).shape == (2, 5)
    assert backbone.make_head(task("depth", 5))(features, (33, 47)).shape == (2, 5, 33, 47)


def test_heads_upsample_bilinearly_by_half_pixels() -> None:
    backbone = MobileNetV2(width=0.25)
    features = features_of(backbone, torch.randn(2, 3, 65, 97))
    head = backbone.make_head(task("depth", 2)).eval()
    low = tuple(features[0].shape[2:])
    expected = F.interpolate(head(features, low), size=(65, 97), mode="bilinear", align_corners=False)
    assert torch.equal(head(features, (65, 97)), expected)


def test_image_pooling_equals_bilinear_upsampling_of_the_mean() -> None:
    torch.manual_seed(0)
    aspp = ASPP(6, 4, rates=(2,), dropout=0.0, activation=nn.ReLU).eval()
    x = torch.randn(2, 6, 9, 13)
    pooling = aspp.streams[-1]
    mean = pooling.conv(x.mean(dim=(2, 3), keepdim=True))
    expected = F.interpolate(mean, size=(9, 13), mode="bilinear", align_corners=False)
    # The mean of 117 values of order 1 in single precision, summed in two orders.
    torch.testing.assert_close(pooling(x), expected, rtol=0, atol=1e-6)
