"""`nas check` warns of a network in which the samples of a batch are mixed."""

import logging

import pytest
from small_images import WIDTH, ImageBackbone, PoolingHead, image_experiment
from torch import nn

import nas


class Tokens(ImageBackbone):
    """Encoder layers on tokens [B, N, C], which they take for [N, B, C] unless they are told."""

    batch_first = True
    channel_dim = -1

    def make_stem(self):
        return nn.Sequential(nn.Conv2d(3, WIDTH, 4, stride=4), nn.Flatten(2), Transposed())

    def make_block(self, l):
        return nn.TransformerEncoderLayer(WIDTH, 2, 8, batch_first=self.batch_first)

    def make_head(self, task):
        return PoolingHead(task.num_outputs, positions=1)


class Transposed(nn.Module):
    def forward(self, x):
        return x.mT


class Mixing(Tokens):
    batch_first = False


@pytest.mark.filterwarnings("ignore:enable_nested_tensor", "ignore:There is a performance drop")
@pytest.mark.parametrize(("backbone", "warned"), [(Tokens, False), (Mixing, True), (ImageBackbone, False)])
def test_check_warns_of_mixed_samples(backbone, warned, caplog):
    with caplog.at_level(logging.WARNING):
        nas.check(image_experiment(backbone))
    assert ("depend on the other samples" in caplog.text) == warned
