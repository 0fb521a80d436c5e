"""Any chain of submodules as a backbone: the outputs of the original exactly."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nas.errors import InputError
from nas.networks.backbone import Backbone, copied
from nas.networks.supernet import Supernet
from nas.tasks.task import Task
from search_spaces.from_module import ModuleBackbone, from_module
from search_spaces.heads import LinearHead, ready_head


def unit(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels), nn.ReLU())


class Residual(nn.Module):
    """Activates its input in place: the shortcut is activated too, which only the original's order shows."""

    def __init__(self, channels: int, scale: float = 1.0) -> None:
        super().__init__()
        self.act = nn.ReLU(inplace=True)
        self.body = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        if x.mean() > 1e9:  # Inside a block nothing is traced, so that values may be looked at.
            return x
        y: Tensor = self.body(self.act(x)) * scale
        return x + y


class Net(nn.Module):
    """With what real networks have between their parts: functions, constants, a dropout, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.shift = nn.Parameter(torch.randn(8, 1, 1))
        self.features = nn.ModuleDict({"stages": nn.ModuleList([Residual(8), Residual(8), unit(8, 12)])})
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(12, 10)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is not None:
            x = x * mask
        x = F.gelu(self.norm(self.conv(2 * x)))
        for i, stage in enumerate(self.features["stages"]):
            x = stage(x, scale=0.5 * i) if i < 2 else self.dropout(stage(x + self.shift))
        return self.classifier(F.dropout(x.mean((2, 3)), 0.1, self.training))


NET_BLOCKS = [f"features.stages.{i}" for i in range(3)]


TASK = Task(name="depth", num_outputs=2, loss="l1", metrics=("rmse",))


def head(task: Task) -> nn.Module:
    return LinearHead(12, task.num_outputs)


def chain_and_original(
    module: nn.Module, stem: str, blocks: Sequence[str], inputs: Tensor, training: bool
) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs of stem and blocks, one after the other; and those of the submodules during the original's forward."""
    module = module.train(training)
    backbone = from_module(module, stem=stem, blocks=blocks, head=head)
    assert isinstance(backbone, Backbone)
    seen: list[Tensor] = []
    original = copied(module)
    for name in [stem, *blocks]:
        # As it was when it was given out: what follows may change it in place.
        original.get_submodule(name).register_forward_hook(lambda m, i, out: seen.append(out.clone()))
    torch.manual_seed(1)
    original(inputs)
    torch.manual_seed(1)
    outputs = [inputs]
    for part in [backbone.make_stem(), *(backbone.make_block(l) for l in range(backbone.num_blocks))]:
        outputs.append(part.train(training)(outputs[-1]))
    return outputs[1:], seen


@pytest.mark.parametrize("training", [True, False])
def test_the_chain_computes_exactly_what_the_original_does(training: bool) -> None:
    torch.manual_seed(0)
    outputs, seen = chain_and_original(Net(), "conv", NET_BLOCKS, torch.randn(2, 3, 33, 47), training)
    assert len(outputs) == len(seen) == 4
    for output, expected in zip(outputs, seen, strict=True):
        assert torch.equal(output, expected)


@pytest.mark.parametrize("training", [True, False])
def test_a_sequential_is_a_chain(training: bool) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(unit(3, 8), unit(8, 8), nn.MaxPool2d(2), unit(8, 12), nn.Flatten())
    outputs, seen = chain_and_original(module, "0", ["1", "3"], torch.randn(2, 3, 33, 47), training)
    for output, expected in zip(outputs, seen, strict=True):
        assert torch.equal(output, expected)


@pytest.mark.parametrize("training", [True, False])
def test_a_real_network_is_a_chain(training: bool) -> None:
    """EfficientNet-B0 of efficientnet_pytorch 0.7.1, which in training drops connections at random."""
    efficientnet = pytest.importorskip("efficientnet_pytorch")
    torch.manual_seed(0)
    module = efficientnet.EfficientNet.from_name("efficientnet-b0")
    blocks = [f"_blocks.{i}" for i in range(16)]
    outputs, seen = chain_and_original(module, "_bn0", blocks, torch.randn(2, 3, 65, 97), training)
    for output, expected in zip(outputs, seen, strict=True):
        assert torch.equal(output, expected)


def test_every_part_is_a_copy_with_the_modules_weights() -> None:
    module = Net()
    before = copy.deepcopy(module.state_dict())
    backbone = from_module(module, stem="conv", blocks=NET_BLOCKS, head=head)
    first, second = backbone.make_block(1), backbone.make_block(1)
    expected = dict(module.features["stages"][1].named_parameters())
    for block in (first, second):
        found = list(block.parameters())
        assert len(found) == len(expected)
        assert all(torch.equal(a, b) for a, b in zip(found, expected.values(), strict=True))
    with torch.no_grad():
        for parameter in first.parameters():
            parameter.fill_(9.0)
    assert not any((p == 9.0).any() for p in second.parameters())
    # Neither cutting nor training a candidate touches the user's module.
    assert module.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_the_users_module_keeps_its_mode() -> None:
    module = Net().eval()
    from_module(module, stem="conv", blocks=NET_BLOCKS, head=head)
    assert not any(m.training for m in module.modules())


def test_a_factory_is_called_once_and_not_before_it_is_needed() -> None:
    calls = []

    def make() -> nn.Module:
        calls.append(1)
        return Net()

    backbone = from_module(make, stem="conv", blocks=NET_BLOCKS, head=head)
    assert (backbone.num_blocks, backbone.taps, calls) == (3, (2,), [])
    backbone.make_stem()
    backbone.make_block(0)
    assert calls == [1]


def test_parts_register_submodules_in_the_order_of_execution() -> None:
    """Nested names that alternate would otherwise be grouped by their parent."""

    class Alternating(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.ModuleList([nn.BatchNorm2d(3) for _ in range(3)])
            self.b = nn.ModuleList([nn.BatchNorm2d(3) for _ in range(2)])

        def forward(self, x: Tensor) -> Tensor:
            return self.a[2](self.b[1](self.a[1](self.b[0](self.a[0](x)))))

    block = from_module(Alternating(), stem="a.0", blocks=["a.2"], head=head).make_block(0)
    assert [name for name, _ in block.named_children()] == ["b_0", "a_1", "b_1", "a_2"]


def test_a_block_that_adds_to_its_input_leaves_the_input_as_it_is() -> None:
    class AddsInPlace(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            x += 1
            return x

    block = from_module(nn.Sequential(nn.Identity(), AddsInPlace()), stem="0", blocks=["1"], head=head).make_block(0)
    x = torch.zeros(2)
    assert torch.equal(block(x), torch.ones(2))
    assert torch.equal(x, torch.zeros(2))


def test_optional_inputs_keep_their_defaults() -> None:
    class Optional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = unit(3, 4), unit(4, 4), unit(4, 4)

        def forward(self, x: Tensor, repeat: int = 2, skip_b: bool = False, *, scale: float | None = None) -> Tensor:
            x = self.a(x)
            if not skip_b:
                x = self.b(x if scale is None else x * scale)
            return self.c(x * repeat)

    torch.manual_seed(0)
    module = Optional().eval()
    outputs, seen = chain_and_original(module, "a", ["b", "c"], torch.randn(2, 3, 9, 9), training=False)
    assert torch.equal(outputs[-1], seen[-1])


def test_a_cut_network_trains_in_a_supernet() -> None:
    torch.manual_seed(0)
    backbone = from_module(Net(), stem="conv", blocks=NET_BLOCKS, head=head)
    tasks = [Task(name=name, num_outputs=2, loss="l1", metrics=("rmse",)) for name in ("a", "b")]
    supernet = Supernet(backbone, tasks, affine_last_norm=False)
    routing_LTC = torch.full((3, 2, 2), 0.5, requires_grad=True)
    outputs = supernet(torch.randn(2, 3, 33, 47), routing_LTC)
    sum(out.square().sum() for out in outputs.values()).backward()
    assert routing_LTC.grad is not None
    assert all(p.grad is not None for p in supernet.parameters())


@pytest.mark.parametrize("taps", [(), (0,), (2, 1), (1, 1), (0, 2), (-1, 1)])
def test_taps_that_are_not_ascending_to_the_last_block_are_refused(taps: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"taps is .*, must be indices of blocks, ascending, the last one 1"):
        ModuleBackbone(Net, "conv", tuple(NET_BLOCKS[:2]), taps, head)


def test_a_head_may_take_the_channels_of_the_taps() -> None:
    given: list[tuple[int, ...]] = []

    def make(task: Task, channels: tuple[int, ...]) -> nn.Module:
        given.append(channels)
        return LinearHead(channels[-1], task.num_outputs)

    backbone = from_module(Net(), stem="conv", blocks=NET_BLOCKS, taps=(0, 2), head=make, input_shape=(3, 32, 32))
    assert backbone.features == (8, 12)
    assert backbone.make_head(TASK).outputs.in_features == 12
    assert given == [(8, 12)]


def test_a_second_parameter_with_a_default_is_the_heads_own() -> None:
    backbone = from_module(Net(), stem="conv", blocks=NET_BLOCKS, head=lambda task, width=12: LinearHead(width, 2))
    assert backbone.make_head(TASK).outputs.in_features == 12


def tokens() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.Flatten(2), Transposed(), nn.Linear(8, 8), nn.Linear(8, 8))


class Transposed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


def test_a_ready_head_reads_tokens_by_the_stated_channel_dim() -> None:
    arguments = {"stem": "2", "blocks": ["3", "4"], "head": ready_head(), "input_shape": (3, 16, 16)}
    backbone = from_module(tokens(), channel_dim=-1, **arguments)
    assert backbone.features == (8,)
    features = (torch.randn(2, 16, 8),)
    assert backbone.make_head(TASK.model_copy(update={"dense": True}))(features, (16, 16)).shape == (2, 2, 16, 16)
    linear = backbone.make_head(TASK.model_copy(update={"dense": False}))
    torch.testing.assert_close(linear(features, (16, 16)), linear.outputs(features[0].mean(1)))
    with pytest.raises(InputError, match=r"4 gives \[batch, 16, 8\]: state channel_dim, -1 for tokens"):
        from_module(tokens(), **arguments).make_head(TASK)
    with pytest.raises(InputError, match=r"channel_dim is 3, but 4 gives \[batch, 16, 8\]"):
        from_module(tokens(), channel_dim=3, **arguments).make_head(TASK)
    mixed = from_module(tokens(), channel_dim=(1, -1), taps=(0, 1), **arguments)
    with pytest.raises(InputError, match=r"their channels in the dimensions \[-1, 1\]: give a head of your own"):
        mixed.make_head(TASK)


def test_blocks_are_found_and_keep_their_names() -> None:
    module = nn.Sequential(unit(3, 8), nn.MaxPool2d(4), unit(8, 8), unit(8, 12), nn.MaxPool2d(2), unit(12, 12))
    backbone = from_module(module, blocks="auto", taps="sizes", head=ready_head(), input_shape=(3, 32, 32))
    assert backbone.stem == "1"
    assert backbone.block_names == ("2", "3", "5")
    # The part that pools belongs to the block before.
    assert backbone.blocks == ("2", "4", "5")
    assert (backbone.taps, backbone.features) == ((0, 2), (8, 12))
    named = from_module(module, stem="1", blocks=["2", "5"], taps="sizes", head=ready_head(), input_shape=(3, 32, 32))
    assert (named.block_names, named.taps) == (("2", "5"), (0, 1))


def test_the_first_taps_are_at_a_quarter_of_the_size() -> None:
    pools = [layer for _ in range(4) for layer in (unit(8, 8), nn.MaxPool2d(2))]
    module = nn.Sequential(unit(3, 8), *pools)
    backbone = from_module(module, blocks="auto", taps="sizes", head=ready_head(), input_shape=(3, 32, 32))
    assert [shape[2] for shape in backbone.feature_shapes] == [16, 8, 4, 2]
    assert backbone.taps == (1, 2, 3)


def test_a_factory_is_looked_at_without_changing_random_numbers() -> None:
    def make() -> nn.Module:
        return nn.Sequential(unit(3, 8), unit(8, 8), unit(8, 12))

    torch.manual_seed(0)
    expected = make()[1][0].weight
    torch.manual_seed(0)
    backbone = from_module(make, blocks="auto", taps="sizes", head=ready_head(), input_shape=(3, 32, 32))
    assert torch.equal(next(backbone.make_block(0).parameters()), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"blocks": "auto"},
            r"blocks='auto' and taps='sizes' run the module: state input_shape, such as \(3, 64, 64\)",
        ),
        ({"blocks": ["1"], "stem": "0", "taps": "sizes"}, "state input_shape"),
        ({"blocks": "auto", "stem": "0", "input_shape": (3, 32, 32)}, "stem is '0', but blocks='auto' finds the stem"),
        ({"blocks": ["1"]}, "stem is missing: name the submodule"),
        ({"blocks": ["1"], "stem": "0", "taps": "all"}, "taps is 'all', must be indices of blocks, or 'sizes'"),
        (
            {"blocks": ["1"], "stem": "0", "head": ready_head()},
            "head takes the channels of the taps, .* state input_shape",
        ),
        (
            {"blocks": ["1"], "stem": "0", "head": ready_head(), "input_shape": (4, 32, 32)},
            r"the stem does not run on a sample of shape \[4, 32, 32\]",
        ),
    ],
)
def test_what_auto_needs_is_said(arguments: dict[str, Any], message: str) -> None:
    module = nn.Sequential(unit(3, 8), unit(8, 12))
    with pytest.raises(InputError, match=message) as caught:
        from_module(module, **{"head": head, **arguments}).make_head(TASK)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("blocks", "message"), [([], "blocks is empty"), ("bc", "blocks is the string 'bc'")])
def test_blocks_have_to_be_names(blocks: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_module(Net(), stem="conv", blocks=blocks, head=head)


@pytest.mark.parametrize("norm", [nn.utils.weight_norm, nn.utils.spectral_norm])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_old_weight_norms_are_cut_and_copied(norm: Callable[[nn.Module], nn.Module]) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 8, 3), norm(nn.Conv2d(8, 8, 3)), nn.ReLU(), norm(nn.Conv2d(8, 12, 3)))
    module(torch.randn(2, 3, 9, 9))
    outputs, seen = chain_and_original(module, "0", ["1", "3"], torch.randn(2, 3, 9, 9), training=False)
    assert torch.equal(outputs[-1], seen[-1])
    backbone = from_module(module, stem="0", blocks=["1", "3"], head=head)
    tasks = [Task(name=name, num_outputs=2, loss="l1", metrics=("rmse",)) for name in ("a", "b")]
    supernet = Supernet(backbone, tasks)
    sum(out.sum() for out in supernet(torch.randn(2, 3, 9, 9), torch.full((2, 2, 2), 0.5)).values()).backward()
    assert all(p.grad is not None for p in supernet.parameters())
