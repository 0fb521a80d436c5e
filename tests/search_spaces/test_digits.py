"""The digits backbone is a backbone, and fits the digits' tasks."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from nas.datasets.digits import digit_tasks
from nas.datasets.digits.source import DigitPairs
from nas.errors import InputError
from nas.networks.backbone.protocol import Backbone
from nas.tasks import task_losses
from search_spaces.digits import DigitsBackbone, PixelShuffleHead


def _forward(backbone: DigitsBackbone, inputs: Tensor) -> tuple[list[Tensor], dict[str, Tensor], nn.ModuleList]:
    """Features of all blocks, the heads' outputs, and the modules of a network that shares everything."""
    stem, *blocks = modules = [backbone.make_stem(), *map(backbone.make_block, range(backbone.num_blocks))]
    features, x = [], stem(inputs)
    for block in blocks:
        x = block(x)
        features.append(x)
    heads = {task.name: backbone.make_head(task) for task in digit_tasks()}
    taps = tuple(features[l] for l in backbone.taps)
    outputs = {name: head(taps, inputs.shape[2:]) for name, head in heads.items()}
    return features, outputs, nn.ModuleList([*modules, *heads.values()])


def test_it_is_a_backbone_of_six_blocks() -> None:
    backbone = DigitsBackbone()
    assert isinstance(backbone, Backbone)
    assert backbone.num_blocks == 6
    assert backbone.taps == (2, 5)


def test_taps_are_the_last_blocks_before_the_first_stride_and_of_all() -> None:
    assert DigitsBackbone(strided=(1, 4)).taps == (0, 5)
    assert DigitsBackbone(strided=()).taps == (5,)


@pytest.mark.parametrize("size", [(12, 20), (13, 21)])
@pytest.mark.parametrize("strided", [(3,), (1, 4), ()])
def test_features_and_outputs_have_their_shapes(strided: tuple[int, ...], size: tuple[int, int]) -> None:
    backbone = DigitsBackbone(widths=(4, 4, 6, 6, 8, 8), strided=strided)
    features, outputs, _ = _forward(backbone, torch.zeros(2, 1, *size))
    assert [x.shape[1] for x in features] == [4, 4, 6, 6, 8, 8]
    heights = [x.shape[2] for x in features]
    assert [after < before for before, after in pairwise(heights)] == [l in strided for l in range(1, 6)]
    assert {name: tuple(x.shape) for name, x in outputs.items()} == {
        "left": (2, 10),
        "right": (2, 10),
        "sum": (2, 19),
        "larger": (2, 3),
        "ink": (2, 1),
        "restore": (2, 1, *size),
    }


def test_every_loss_takes_the_outputs_and_every_parameter_gets_a_gradient() -> None:
    batch = (
        DigitPairs(num_train=8, num_architecture=2, num_validation=2, num_test=2).split("train").__getitems__(range(8))
    )
    _, outputs, modules = _forward(DigitsBackbone(), batch.inputs)
    losses = task_losses(digit_tasks(), outputs, batch)
    assert list(losses) == [task.name for task in digit_tasks()]
    torch.stack(list(losses.values())).sum().backward()
    assert all(parameter.grad is not None for parameter in modules.parameters())


def test_modules_are_fresh_and_end_in_a_batch_norm() -> None:
    backbone = DigitsBackbone()
    for l in range(backbone.num_blocks):
        block, other = backbone.make_block(l), backbone.make_block(l)
        assert not torch.equal(block.conv.weight, other.conv.weight)
        assert [type(child) for child in block.children()] == [nn.Conv2d, nn.BatchNorm2d]


def test_a_shortcut_adds_the_input_where_shapes_agree() -> None:
    backbone = DigitsBackbone()
    x = torch.rand(2, 16, 6, 10)
    block = backbone.make_block(1)
    nn.init.zeros_(block.conv.weight)
    assert torch.equal(block(x), x)
    assert not backbone.make_block(2).shortcut
    assert not backbone.make_block(3).shortcut


def test_the_pooled_head_knows_left_from_right() -> None:
    head = DigitsBackbone().make_head(digit_tasks()[0])
    features = torch.rand(1, 32, 3, 5, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(head((features,), (12, 20)), head((features.flip(-1),), (12, 20)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"widths": ()}, r"widths .* positive, one a block; found \(\)"),
        ({"widths": (8, 0)}, r"found \(8, 0\)"),
        ({"strided": (0,)}, r"strided .* must be in 1..5; found \(0,\)"),
        ({"strided": (6,)}, r"found \(6,\)"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DigitsBackbone(**arguments)


def test_a_task_that_states_dense_gets_its_head() -> None:
    (left, *_) = digit_tasks()
    backbone = DigitsBackbone()
    heads = {dense: backbone.make_head(left.model_copy(update={"dense": dense})) for dense in (None, False, True)}
    assert isinstance(heads[True], PixelShuffleHead)
    assert not isinstance(heads[None], PixelShuffleHead)
    assert type(heads[False]) is type(heads[None])
    restore = next(task for task in digit_tasks() if task.name == "restore").model_copy(update={"dense": False})
    with pytest.raises(InputError, match="restore has dense=False and is named in `dense_tasks`"):
        backbone.make_head(restore)
