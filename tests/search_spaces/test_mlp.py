"""The MLP for tables: what a block computes, and its heads."""

from typing import Any

import pytest
import torch
from torch import nn

from nas.errors import InputError
from nas.networks.backbone import Backbone
from nas.tasks.task import Task
from search_spaces.heads import LinearHead
from search_spaces.mlp import MLP


def task(dense: bool | None = None) -> Task:
    return Task(name="price", num_outputs=2, loss="mse", metrics=("rmse",), dense=dense)


@pytest.mark.parametrize("norm", ["batch", "layer", None])
@pytest.mark.parametrize("residual", [True, False])
def test_a_block_is_what_it_says(norm: Any, residual: bool) -> None:
    torch.manual_seed(0)
    block = MLP(5, width=6, norm=norm, residual=residual).make_block(1).eval()
    x = torch.randn(4, 6)
    y = x @ block.linear.weight.T
    assert (block.linear.bias is None) == (norm is not None)
    if block.linear.bias is not None:
        y = y + block.linear.bias
    assert type(block.norm) is {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, None: nn.Identity}[norm]
    expected = block.norm(y).clamp(min=0)
    torch.testing.assert_close(block(x), x + expected if residual else expected)


def test_rows_become_outputs() -> None:
    backbone = MLP(5, width=6, depth=3)
    assert isinstance(backbone, Backbone)
    assert (backbone.num_blocks, backbone.taps, backbone.channel_dim) == (3, (2,), 1)
    parts = [backbone.make_stem(), *map(backbone.make_block, range(3))]
    x = torch.randn(4, 5)
    for part in parts:
        x = part(x)
        assert x.shape == (4, 6)
    head = backbone.make_head(task())
    assert isinstance(head, LinearHead)
    outputs = head((x,), ())
    assert outputs.shape == (4, 2)
    outputs.square().sum().backward()
    assert all(parameter.grad is not None for part in (*parts, head) for parameter in part.parameters())


def test_dropout_drops_in_training_alone() -> None:
    torch.manual_seed(0)
    block = MLP(5, width=50, norm=None, dropout=0.5).make_block(0)
    x = torch.randn(4, 50)
    assert not torch.equal(block(x), block(x))
    assert torch.equal(block.eval()(x), block(x))


def test_the_features_keep_their_scale_through_the_blocks() -> None:
    torch.manual_seed(0)
    backbone = MLP(5, width=256, depth=8, norm=None)
    x = torch.randn(512, 256)
    before = x.square().mean()
    for l in range(backbone.num_blocks):
        x = backbone.make_block(l)(x)
    assert 0.3 < x.square().mean() / before < 3, "torch's own start would leave a share of 1e-6"


def test_a_dense_task_is_refused() -> None:
    with pytest.raises(InputError, match="the task price has dense=True, but a row of a table has no pixels"):
        MLP(5).make_head(task(True))
    assert isinstance(MLP(5).make_head(task(False)), LinearHead)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_features": 0}, "num_features is 0, must be at least 1"),
        ({"num_features": 5, "depth": 0}, "depth is 0"),
        ({"num_features": 5, "norm": "group"}, "norm is 'group', must be 'batch', 'layer' or None"),
        ({"num_features": 5, "dropout": -0.1}, r"dropout is -0\.1"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MLP(**arguments)
