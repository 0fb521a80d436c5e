"""blocks="auto": which blocks are found in modules of the kinds that people have."""

from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nas.errors import InputError
from search_spaces.auto_blocks import find_blocks
from search_spaces.chain import cut


def conv(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=1)


def unit(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(conv(in_channels, out_channels), nn.BatchNorm2d(out_channels), nn.ReLU())


class Residual(nn.Module):
    """Without a shortcut where the stride is 2, as inverted residuals are; then its body is a chain."""

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(conv(channels, channels, stride), nn.ReLU(), conv(channels, channels))
        self.shortcut = stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.shortcut else y


class Stage(nn.Module):
    """A convolution, then residual units in a list of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.downsample = conv(8, 8, 2)
        self.units = nn.Sequential(Residual(8), Residual(8))

    def forward(self, x: Tensor) -> Tensor:
        x = self.units(self.downsample(x))
        return x


class Numbered(nn.Module):
    """Children of one type, called in a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.r1, self.r2 = Residual(8), Residual(8)

    def forward(self, x: Tensor) -> Tensor:
        for child in self.children():
            x = child(x)
        return x


class Net(nn.Module):
    """Stem, stages and classifier, whose first and last lines ask for the input's size."""

    def __init__(self, *stages: nn.Module) -> None:
        super().__init__()
        self.conv1, self.norm1, self.pool1 = conv(3, 8, 2), nn.BatchNorm2d(8), nn.MaxPool2d(2)
        self.stages = nn.ModuleList(stages)
        self.last, self.pool = nn.Conv2d(8, 16, 1), nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(16, 10))

    def forward(self, x: Tensor) -> Tensor:
        batch, size = x.size(0), x.shape[2]
        x = self.pool1(self.norm1(self.conv1(x).view(batch, 8, size // 2, -1)))
        for stage in self.stages:
            x = stage(x)
        return self.classifier(self.pool(self.last(x)).view(batch, 16 + 0 * size))


class AsksForSize(nn.Module):
    """Between first and second it reshapes by the size of conv1's input, so nothing before second can be cut."""

    def __init__(self) -> None:
        super().__init__()
        self.pool0, self.conv1 = nn.MaxPool2d(2), conv(3, 8)
        self.first, self.second, self.third = Residual(8), Residual(8), Residual(8)

    def forward(self, x: Tensor) -> Tensor:
        batch = x.shape[0]
        x = self.first(self.conv1(self.pool0(x)))
        return self.third(self.second(x.reshape(batch, 8, 16, 16)))


class Wrapped(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x / 255)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(8), nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).chunk(3, dim=-1)
        y: Tensor = x + self.out((q @ k.transpose(1, 2)).softmax(-1) @ v)
        return y


class Transformer(nn.Module):
    """Patches, a position that is added, layers, a norm, the mean and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.position = nn.Conv2d(3, 8, 8, 8), nn.Parameter(torch.zeros(1, 16, 8))
        self.drop, self.layers, self.norm = nn.Dropout(0.1), nn.Sequential(Attention(), Attention()), nn.LayerNorm(8)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop(self.patches(x).flatten(2).transpose(1, 2) + self.position)
        return self.head(self.norm(self.layers(x)).mean(1))


IMAGE = (3, 32, 32)
CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], str, list[str], list[str]]] = {
    "residual units in Sequentials": (
        lambda: Net(nn.Sequential(Residual(8), Residual(8)), nn.Sequential(Residual(8, 2), Residual(8))),
        IMAGE,
        "pool1",
        ["stages.0.0", "stages.0.1", "stages.1.0", "stages.1.1"],
        [],
    ),
    "stages of a type": (
        lambda: Net(Stage(), Stage()),
        IMAGE,
        "stages.0.downsample",
        ["stages.0.units.0", "stages.0.units.1", "stages.1.units.0", "stages.1.units.1"],
        [],
    ),
    "stages with children of one type": (
        lambda: Net(Numbered(), Numbered()),
        IMAGE,
        "pool1",
        ["stages.0.r1", "stages.0.r2", "stages.1.r1", "stages.1.r2"],
        [],
    ),
    "a size that a block asks for": (
        AsksForSize,
        IMAGE,
        "second",
        ["third"],
        [],
    ),
    "a wrapped network": (
        lambda: Wrapped(Net(Residual(8), Residual(8))),
        IMAGE,
        "net.pool1",
        ["net.stages.0", "net.stages.1"],
        [],
    ),
    "units of convolution, norm and activation": (
        lambda: nn.Sequential(unit(3, 8), unit(8, 8), nn.MaxPool2d(2), unit(8, 8), nn.Flatten(), nn.Linear(2048, 2)),
        IMAGE,
        "0",
        ["1", "3"],
        ["2", "3"],
    ),
    "single layers": (
        lambda: nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), nn.ReLU(), conv(8, 8), nn.ReLU(), conv(8, 8), nn.ReLU()),
        IMAGE,
        "2",
        ["3", "5"],
        ["4", "6"],
    ),
    "a transformer": (Transformer, IMAGE, "drop", ["layers.0", "layers.1"], ["layers.0", "norm"]),
    "vectors": (
        lambda: nn.Sequential(
            OrderedDict(a=nn.Linear(5, 8), b=nn.ReLU(), c=nn.Linear(8, 8), d=nn.ReLU(), e=nn.Linear(8, 2))
        ),
        (5,),
        "b",
        ["c"],
        ["d"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_blocks_of_a_module(name: str) -> None:
    make, shape, stem, blocks, ends = CASES[name]
    module = make()
    found = find_blocks(module, shape)
    assert (found.stem, list(found.blocks), list(found.ends)) == (stem, blocks, ends or blocks)
    assert find_blocks(module, shape) == found
    # What is found can be cut, and computes what the module computes up to there.
    torch.manual_seed(0)
    x, seen = torch.rand(2, *shape), []
    module.eval().get_submodule(found.ends[-1]).register_forward_hook(lambda m, i, out: seen.append(out))
    y = x
    for part in cut(module, [found.stem, *found.ends]):
        y = part.eval()(y)
    module(x)
    assert torch.equal(y, seen[-1])


def test_a_module_is_looked_at_and_not_changed() -> None:
    module = Net(Residual(8), Residual(8))
    module.norm1.eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    state = torch.random.get_rng_state()
    find_blocks(module, IMAGE)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (module.training, module.norm1.training) == (True, False)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert not any(part._forward_hooks for part in module.modules())


class Skipped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = conv(3, 3), conv(3, 3), conv(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.a(x) + self.b(x) + self.c(x)


class Branching(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = conv(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.a(x) if x.mean() > 0 else x


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (
            Skipped,
            IMAGE,
            r"Skipped: blocks='auto' finds no chain of a stem and blocks; .* are: none: name stem and blocks",
        ),
        (lambda: nn.Sequential(conv(3, 8)), IMAGE, r"Sequential: blocks='auto' finds no chain .* are: 0: name stem"),
        (Branching, IMAGE, r"Branching cannot be traced at .*test_auto_blocks\.py, line \d+"),
        (
            lambda: Net(Residual(8)),
            (4, 32, 32),
            r"Net does not run on a sample of shape \[4, 32, 32\]: .*: state the input",
        ),
    ],
)
def test_a_module_without_a_chain_is_refused(
    make: Callable[[], nn.Module], shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        find_blocks(make(), shape)
    assert "\n" not in str(caught.value)
