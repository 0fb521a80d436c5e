"""Where features have their channels makes no difference to what is found, whether the backbone says it or not."""

import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_images import TASKS, WIDTH, ImageBackbone, Images, PoolingHead, image_experiment
from torch import nn
from toys import DEVICE, VectorBackbone, seeded, toy_tasks

import nas
from nas.cost import measure_costs
from nas.discretize import discretize
from nas.errors import InputError
from nas.networks.backbone import FrozenPrefix
from nas.strategies.similarity import CopyTraining, SimilaritySettings, measure_dissimilarity
from nas.strategies.similarity.channels import channel_dims
from nas.strategies.similarity.copies import make_copies
from nas.tree import read_tree
from search_spaces import from_module

# How features [B, C, H, W] are handed on, and the dimension of the channels then. Every layout has the positions in one
# order, so that the same ones are drawn.
LAYOUTS = {
    "first": (lambda x: x, 1),
    "last": (lambda x: x.permute(0, 2, 3, 1), 3),
    "tokens": (lambda x: x.flatten(2).mT, 2),
    "sequence": (lambda x: x.flatten(2), 1),
    "nested": (lambda x: x.permute(0, 2, 1, 3), 2),
}


class Laid(nn.Module):
    """A module of images whose inputs and outputs have another layout."""

    def __init__(self, module, layout, takes=True):
        super().__init__()
        self.module, self.layout, self.takes = module, layout, takes

    def forward(self, x):
        if self.takes:
            x = AS_IMAGE[self.layout](x)
        return LAYOUTS[self.layout][0](self.module(x))


def square(x):
    side = round(int(x.shape[2]) ** 0.5)
    return x.unflatten(2, (side, side))


AS_IMAGE = {
    "first": lambda x: x,
    "last": lambda x: x.permute(0, 3, 1, 2),
    "tokens": lambda x: square(x.mT),
    "sequence": square,
    "nested": lambda x: x.permute(0, 2, 1, 3),
}


class LaidHead(PoolingHead):
    def __init__(self, num_outputs, layout):
        super().__init__(num_outputs)
        self.layout = layout

    def forward(self, features, size):
        return super().forward([AS_IMAGE[self.layout](features[-1])], size)


class LaidBackbone(ImageBackbone):
    """One network in any layout."""

    def __init__(self, layout="first", channel_dim=None):
        self.layout, self.channel_dim = layout, channel_dim

    def make_stem(self):
        return Laid(super().make_stem(), self.layout, takes=False)

    def make_block(self, l):
        return Laid(super().make_block(l), self.layout)

    def make_head(self, task):
        return LaidHead(task.num_outputs, self.layout)


TABLE = measure_costs(LaidBackbone(), TASKS, (3, 8, 8)).table


def measured(backbone, seed=0, **fields):
    settings = SimilaritySettings(num_rows=128, candidates="plain", **fields)
    training = CopyTraining(TASKS, Images(), settings, seed=seed, device=DEVICE)
    return measure_dissimilarity(training, training.start(backbone).copies, backbone)


def trees_of(found):
    return [point.tree for point in discretize(found.tasks, found.above_floor(), TABLE, "macs")]


@settings(deadline=None, max_examples=8)
@given(
    st.sampled_from(list(LAYOUTS)), st.booleans(), st.sampled_from(["r2", "cka", "rdm"]), st.integers(0, 99), st.data()
)
def test_dissimilarities_and_trees_do_not_depend_on_the_layout(layout, stated, measure, seed, data):
    dim = LAYOUTS[layout][1]
    num_dims = 3 if layout in ("tokens", "sequence") else 4
    spelt = data.draw(st.sampled_from([dim, dim - num_dims, [dim] * 3]))
    found = measured(LaidBackbone(layout, spelt if stated else None), seed, measure=measure)
    expected = measured(LaidBackbone(), seed, measure=measure)
    # Sums of the same numbers in another order.
    np.testing.assert_allclose(found.dissimilarity_LTT, expected.dissimilarity_LTT, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.floor_LTT, expected.floor_LTT, rtol=1e-4, atol=1e-5)
    assert trees_of(found) == trees_of(expected)


def test_the_dissimilarities_of_a_wrong_dimension_are_others():
    right, wrong = measured(LaidBackbone("last")), measured(LaidBackbone("last", 1))
    assert np.abs(right.floor_LTT - wrong.floor_LTT).max() > 0.01


@pytest.mark.slow
def test_the_tree_of_a_whole_search_does_not_depend_on_the_layout(tmp_path):
    trees = {}
    for layout in LAYOUTS:
        experiment = image_experiment(nas.lazy(LaidBackbone, layout=layout))
        run = nas.search(experiment, out=tmp_path / layout)
        front = nas.run.Front.read(run.path / "front.json")
        trees[layout] = [(read_tree(run.path / point.tree), point.budget) for point in front.points]
    assert all(found == trees["first"] for found in trees.values())


class Fixed(nn.Module):
    """Tokens of a number that is fixed by a position embedding."""

    def __init__(self, layer, num_tokens=16):
        super().__init__()
        self.positions = nn.Parameter(torch.randn(num_tokens, WIDTH))
        self.layer = layer

    def forward(self, x):
        return self.layer(x + self.positions)


def tokens_of(layer):
    class Mine(LaidBackbone):
        def make_block(self, l):
            return Fixed(layer())

    return Mine("tokens")


class Pooled(ImageBackbone):
    def make_block(self, l):
        return nn.Sequential(super().make_block(l), nn.AdaptiveAvgPool2d(3))


class Recurrent(ImageBackbone):
    """Of sequences [B, length, features]."""

    def make_stem(self):
        return nn.Linear(5, WIDTH)

    def make_block(self, l):
        return First(nn.GRU(WIDTH, WIDTH, batch_first=True))


class First(nn.Module):
    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x)[0]


class Convolved(ImageBackbone):
    """Of sequences [B, channels, length]."""

    def make_stem(self):
        return nn.Conv1d(5, WIDTH, 3, padding=1)

    def make_block(self, l):
        return nn.Conv1d(WIDTH, WIDTH, 3, padding=1)


@pytest.mark.parametrize(
    ("backbone", "shape", "expected"),
    [
        (ImageBackbone(), (3, 8, 8), 1),
        # Positions of 1 x 1 do not tell.
        (ImageBackbone(), (3, 1, 1), 1),
        (Pooled(), (3, 8, 8), 1),
        (VectorBackbone(), (5,), 1),
        (Recurrent(), (7, 5), 2),
        (Convolved(), (5, 7), 1),
        (tokens_of(lambda: nn.TransformerEncoderLayer(WIDTH, 2, 8, batch_first=True)), (3, 8, 8), 2),
        (tokens_of(lambda: nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH))), (3, 8, 8), 2),
        (FrozenPrefix(LaidBackbone("last", [-1, 3, -1]), 1), (3, 8, 8), 3),
    ],
)
def test_the_dimension_is_found(backbone, shape, expected, caplog):
    copies = seeded(lambda: make_copies(backbone, toy_tasks(2), 1))
    with caplog.at_level(logging.WARNING):
        assert channel_dims(copies, torch.zeros(1, *shape)) == (expected,) * 3
    assert not caplog.records
    assert copies.training
    assert not any(module._forward_hooks for module in copies.modules())


def test_what_cannot_be_found_is_taken_as_usual_and_said(caplog):
    copies = make_copies(tokens_of(nn.Tanh), TASKS, 1)
    assert channel_dims(copies, torch.zeros(1, 3, 8, 8)) == (2, 2, 2)
    assert "features after block 1 are [batch, 16, 6]" in caplog.text
    assert "channel_dim" in caplog.text


@pytest.mark.parametrize("channel_dim", [4, -4, [1, 1, 7]])
def test_a_dimension_that_the_features_do_not_have_is_refused_before_the_training(channel_dim):
    with pytest.raises(InputError, match=r"channel_dim is .*, but the features after block \d are \[batch, 6, 4, 4\]"):
        nas.check(image_experiment(nas.lazy(LaidBackbone, channel_dim=channel_dim)))


def test_a_cut_module_says_where_its_channels_are():
    module = nn.Sequential(*(nn.Linear(5, 5) for _ in range(3)))

    def cut(channel_dim):
        return from_module(module, stem="0", blocks=["1", "2"], head=nn.Identity, channel_dim=channel_dim)

    assert cut([1, 2]).channel_dim == (1, 2)
    assert cut(-1).channel_dim == -1
    with pytest.raises(InputError, match="channel_dim must be"):
        cut([1])
