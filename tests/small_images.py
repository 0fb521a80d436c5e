"""An image problem whose whole search takes a second: 8 x 8 pixels, a class and a number."""

import torch
from torch import nn

from nas import CompareSettings, Experiment, Goal, Gradient, Similarity, Task, TrainingSettings
from nas.data import SPLITS, MaskedTensors, derive_seed

TASKS = (
    Task(name="kind", num_outputs=3, loss="cross_entropy", metrics=("accuracy",)),
    Task(name="size", num_outputs=1, loss="mse", metrics=("rmse",)),
)
WIDTH = 6


class ImageBackbone:
    """Three blocks of convolution, BatchNorm and ReLU; heads pool the last one."""

    num_blocks = 3
    taps = (2,)

    def make_stem(self):
        return nn.Sequential(nn.Conv2d(3, WIDTH, 3, stride=2, padding=1), nn.BatchNorm2d(WIDTH))

    def make_block(self, l):
        return nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU())

    def make_head(self, task):
        return PoolingHead(task.num_outputs)


class PoolingHead(nn.Module):
    """A linear layer on the mean over the positions of the last tap."""

    def __init__(self, num_outputs, positions=(2, 3)):
        super().__init__()
        self.linear = nn.Linear(WIDTH, num_outputs)
        self.positions = positions

    def forward(self, features, size):
        return self.linear(features[-1].mean(self.positions))


class Images:
    """Random images; the class is of the first channel's mean, the number is the second's."""

    def __init__(self):
        self.splits = {name: self._samples(name) for name in SPLITS}

    def split(self, name):
        return self.splits[name]

    @staticmethod
    def _samples(name):
        images = torch.rand(24, 3, 8, 8, generator=torch.Generator().manual_seed(derive_seed(name)))
        kind = (images[:, 0].mean((1, 2)) * 300 % 3).long()
        return MaskedTensors(images, {"kind": kind, "size": images[:, 1].mean((1, 2))[:, None]})


def image_experiment(backbone, **fields):
    """An experiment of one epoch everywhere, on the CPU."""
    return Experiment(
        tasks=TASKS,
        backbone=backbone,
        data=Images,
        input_shape=(3, 8, 8),
        num_threads=1,
        device="cpu",
        goal=Goal(budgets=(0.9,)),
        # Batching candidates takes longer than searches of this size.
        strategy=Similarity(epochs=1, batch_size=8, num_rows=256, candidates="plain"),
        strategies={"gradient": Gradient(epochs=1, batch_size=8, candidates="plain")},
        retrain=TrainingSettings(epochs=1, batch_size=8),
        compare=CompareSettings(seeds=(0,), random_trees=1),
    ).with_fields(fields)
