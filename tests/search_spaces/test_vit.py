"""The vision transformer: tokens, its position embedding, and heads on tokens."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nas.errors import InputError
from nas.networks.backbone import Backbone
from nas.tasks.task import Task
from search_spaces.vit import EncoderLayer, ViT

SMALL = ViT(image_size=(16, 24), patch_size=8, width=12, depth=3, num_heads=2)


def task(dense: bool | None) -> Task:
    return Task(name="depth", num_outputs=2, loss="l1", metrics=("rmse",), dense=dense)


def features_of(backbone: ViT, x: torch.Tensor) -> torch.Tensor:
    features: torch.Tensor = backbone.make_stem()(x)
    for l in range(backbone.num_blocks):
        features = backbone.make_block(l)(features)
    return features


def test_it_is_a_backbone_of_encoder_layers() -> None:
    assert isinstance(SMALL, Backbone)
    assert (SMALL.num_blocks, SMALL.taps, SMALL.channel_dim) == (3, (2,), -1)
    assert isinstance(SMALL.make_block(0), EncoderLayer)
    assert [type(child) for child in SMALL.make_block(2)] == [EncoderLayer, nn.LayerNorm]


def test_heads_turn_tokens_into_maps_and_vectors() -> None:
    x = torch.randn(2, 3, 16, 24)
    features = features_of(SMALL, x)
    assert features.shape == (2, 6, 12)
    assert SMALL.make_head(task(True))((features,), (16, 24)).shape == (2, 2, 16, 24)
    assert SMALL.make_head(task(False))((features,), (16, 24)).shape == (2, 2)
    with pytest.raises(InputError, match=r"set Task\(dense=True\)"):
        SMALL.make_head(task(None))


def test_a_token_is_a_patch_and_its_position() -> None:
    torch.manual_seed(0)
    stem = SMALL.make_stem()
    x = torch.randn(2, 3, 16, 24)
    tokens = stem(x)
    # The second row's first patch is the fourth token.
    patch = x[:, :, 8:16, 0:8].flatten(1)
    expected = patch @ stem.project.weight.flatten(1).T + stem.project.bias + stem.position[:, 3]
    torch.testing.assert_close(tokens[:, 3], expected)
    assert stem.position.requires_grad
    assert 0.01 < stem.position.std() < 0.03


def test_an_encoder_layer_is_torchs_of_the_same_weights() -> None:
    """nn.TransformerEncoderLayer with its norms first, whose names differ."""
    torch.manual_seed(0)
    layer = EncoderLayer(12, 3, 20, dropout=0.0)
    other = nn.TransformerEncoderLayer(12, 3, 20, 0.0, F.gelu, batch_first=True, norm_first=True)
    names = {
        "self_attn.in_proj_": "query_key_value.",
        "self_attn.out_proj.": "project.",
        "linear1.": "mlp.1.",
        "linear2.": "mlp.3.",
        "norm1.": "norm.",
        "norm2.": "mlp.0.",
    }
    state = layer.state_dict()
    other.load_state_dict({f"{a}{kind}": state[f"{b}{kind}"] for a, b in names.items() for kind in ("weight", "bias")})
    x = torch.randn(2, 5, 12)
    torch.testing.assert_close(layer(x), other(x), rtol=1e-5, atol=1e-6)


def test_dropout_drops_in_training_alone() -> None:
    torch.manual_seed(0)
    layer = EncoderLayer(12, 2, 24, dropout=0.5)
    x = torch.randn(2, 5, 12)
    assert not torch.equal(layer(x), layer(x))
    assert torch.equal(layer.eval()(x), layer(x))


def test_every_parameter_gets_a_gradient() -> None:
    parts = [SMALL.make_stem(), *map(SMALL.make_block, range(3)), SMALL.make_head(task(True))]
    features = torch.randn(2, 3, 16, 24)
    for part in parts[:-1]:
        features = part(features)
    parts[-1]((features,), (16, 24)).square().sum().backward()
    assert all(parameter.grad is not None for part in parts for parameter in part.parameters())


def test_another_size_of_input_is_refused() -> None:
    with pytest.raises(InputError, match=r"image_size is \(16, 24\), but the input has \(24, 16\): state the size"):
        SMALL.make_stem()(torch.zeros(1, 3, 24, 16))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 0}, "depth is 0, must be at least 1"),
        ({"image_size": (64, 60)}, r"image_size is \(64, 60\), must be positive multiples of patch_size 8"),
        ({"image_size": (0, 8)}, r"image_size is \(0, 8\)"),
        ({"width": 10}, "width is 10, must be a multiple of num_heads 4"),
        ({"dropout": 1.0}, r"dropout is 1\.0, must be at least 0 and below 1"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ViT(**arguments)
