"""A backbone of vectors, tasks and data so small that a whole search takes a second."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from nas.data import SPLITS, Batch, MaskedTensors, derive_seed
from nas.tasks import Task

IN_FEATURES = 5
NUM_CLASSES = 3
DEVICE = torch.device("cpu")


@dataclass(frozen=True)
class VectorBackbone:
    """Linear, BatchNorm1d, ReLU as stem and blocks; linear heads read the first and the last block."""

    num_blocks: int = 3
    width: int = 6
    dropout: float = 0.0

    @property
    def taps(self):
        return (0, self.num_blocks - 1) if self.num_blocks > 1 else (0,)

    def make_stem(self):
        return nn.Sequential(nn.Linear(IN_FEATURES, self.width), nn.BatchNorm1d(self.width), nn.ReLU())

    def make_block(self, l):
        assert 0 <= l < self.num_blocks
        block = [nn.Linear(self.width, self.width, bias=False), nn.BatchNorm1d(self.width), nn.ReLU()]
        return nn.Sequential(*block, *([nn.Dropout(self.dropout)] if self.dropout else []))

    def make_head(self, task):
        return VectorHead(self.width * len(self.taps), task.num_outputs)


class VectorHead(nn.Module):
    """A linear layer on the concatenated taps."""

    def __init__(self, width, num_outputs):
        super().__init__()
        self.linear = nn.Linear(width, num_outputs)

    def forward(self, features, size):
        assert len(size) == 0, "vectors have no spatial size"
        return self.linear(torch.cat(features, dim=1))


def toy_tasks(num_tasks, **fields):
    """Tasks t0, t1, ...: classes at even places, two numbers at odd ones."""
    return tuple(
        Task(name=f"t{t}", num_outputs=2, loss="mse", metrics=("rmse", "mae"), **fields)
        if t % 2
        else Task(name=f"t{t}", num_outputs=NUM_CLASSES, loss="cross_entropy", metrics=("accuracy", "f1"), **fields)
        for t in range(num_tasks)
    )


def names(tasks):
    return tuple(task.name for task in tasks)


class ToyData:
    """A data source in memory: each task's labels are a random function of the input.

    Args:
        tasks: from `toy_tasks`.
        size: samples of each split.
        missing: share of the labels that are missing, task by task and sample by sample.
        seed: of the samples; the functions are always the same.
    """

    def __init__(self, tasks, size=48, missing=0.0, seed=0):
        self.splits = {name: _samples(tasks, size, missing, derive_seed(name, seed)) for name in SPLITS}

    def split(self, name):
        return self.splits[name]


def _samples(tasks, size, missing, seed):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(size, IN_FEATURES, generator=generator)
    labels, present = {}, {}
    for t, task in enumerate(tasks):
        weights = torch.randn(IN_FEATURES, task.num_outputs, generator=torch.Generator().manual_seed(t))
        outputs = torch.tanh(inputs @ weights)
        labels[task.name] = outputs.argmax(dim=1) if task.loss == "cross_entropy" else outputs
        present[task.name] = torch.rand(size, generator=generator) >= missing
    return MaskedTensors(inputs, labels, present)


def toy_batch(tasks, size=16, missing=0.0, without=(), seed=0):
    """One batch; the tasks ``without`` have no label in it."""
    batch = _samples(tasks, size, missing, seed).__getitems__(range(size))
    return Batch(
        batch.inputs,
        {name: labels for name, labels in batch.labels.items() if name not in without},
        {name: rows for name, rows in batch.present.items() if name not in without},
    )


def seeded(make, seed=0):
    """What ``make()`` gives when the global generator starts from a seed, which it is left out of."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return make()


def copied_state(module):
    """A module's parameters and buffers, copied."""
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def assert_same(a, b, where="", tolerance=0.0):
    """Nested plain data and tensors are equal, tensors bitwise and of one type; real numbers up to a tolerance, if any,
    which is relative and absolute."""
    assert type(a) is type(b), f"{where}: {type(a)} and {type(b)}"
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype, where
        if tolerance:
            torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance, msg=lambda text: f"{where}: {text}")
        else:
            assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert list(a) == list(b), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}", tolerance)
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{i}]", tolerance)
    elif isinstance(a, float) and tolerance:
        assert math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance), (where, a, b)
    else:
        assert a == b, where
