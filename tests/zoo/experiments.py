"""The experiments of the zoo, by the names of their model or label set; recipes that tests write import them."""

import torch
from torch import nn
from zoo.label_sets import LABEL_SETS, SIDE
from zoo.models import MODELS, UNCOUNTED_MODELS, WIDTH, Head, Parts, Pixels

from nas import CompareSettings, Experiment, Goal, Gradient, Similarity, Task, TrainingSettings, lazy
from nas.data import PixelScale

SIZES = {"train": 32, "architecture": 16, "validation": 16, "test": 16}
CLASS_TASK = Task(name="kind", num_outputs=3, loss="cross_entropy", metrics=("accuracy",))
NUMBER_TASK = Task(name="size", num_outputs=1, loss="mse", metrics=("rmse",))


class Drawn:
    """Samples that are drawn by index: the same ones each time.

    Args:
        labels: from an input, its index and the split to a label by task; a task with None has no label.
        shape: of an input.
    """

    def __init__(self, labels, shape):
        self.labels, self.shape = labels, shape
        self.pixel_scale = PixelScale.unit(3) if len(shape) == 3 else None

    def split(self, name):
        return [self._sample(name, i) for i in range(SIZES[name])]

    def _sample(self, name, i):
        generator = torch.Generator().manual_seed(1000 * list(SIZES).index(name) + i)
        inputs = torch.rand(self.shape, generator=generator)
        found = {task: label(inputs, i, name) for task, label in self.labels.items()}
        return inputs, {task: label for task, label in found.items() if label is not None}


def _experiment(tasks, backbone, data, shape):
    return Experiment(
        tasks=tasks,
        backbone=backbone,
        data=data,
        input_shape=shape,
        num_threads=1,
        device="cpu",
        goal=Goal(budgets=(0.6, 0.9)),
        strategy=Similarity(epochs=2, batch_size=8),
        strategies={"gradient": Gradient(epochs=2, batch_size=8)},
        retrain=TrainingSettings(epochs=1, batch_size=8),
        compare=CompareSettings(seeds=(0,), random_trees=1),
    )


def model_experiment(name):
    """A class and a number for a model of the zoo; maps of both where its heads are dense."""
    dense = getattr(MODELS[name][0], "dense", False)
    tasks = [task.model_copy(update={"dense": dense}) for task in (CLASS_TASK, NUMBER_TASK)]
    made = _experiment(tasks, lazy(_model, name=name), lazy(_model_samples, name=name), MODELS[name][1])
    return made.with_fields({"allow_uncounted_macs": name in UNCOUNTED_MODELS})


def label_experiment(name):
    """A label set beside an ordinary class, on a small convolutional network."""
    odd = LABEL_SETS[name]
    return _experiment(
        (odd.task, CLASS_TASK), lazy(_Mixed, dense=odd.dense), lazy(_label_samples, name=name), (3, SIDE, SIDE)
    )


def _model(name):
    return MODELS[name][0]


def _model_samples(name):
    backbone, shape = MODELS[name]
    if getattr(backbone, "dense", False):
        return Drawn({"kind": _kinds, "size": lambda x, i, s: x[1:2]}, shape)
    return Drawn({"kind": _kind, "size": _size}, shape)


def _label_samples(name):
    return Drawn({"odd": LABEL_SETS[name].label, "kind": _kind}, (3, SIDE, SIDE))


def _kinds(inputs, i, split):
    return (inputs[0] * 3).long().clamp(max=2)


def _kind(inputs, i, split):
    return (inputs.mean() * 300 % 3).long()


def _size(inputs, i, split):
    return inputs.flatten()[:4].mean()[None]


class _Mixed(Parts):
    """Dense heads for the odd task where it asks for them; the other task has one value a picture."""

    def __init__(self, dense):
        super().__init__(
            lambda: nn.Sequential(nn.Conv2d(3, WIDTH, 3, stride=2, padding=1), nn.ReLU()),
            lambda l: nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.BatchNorm2d(WIDTH), nn.ReLU()),
            dense=dense,
        )

    def make_head(self, task):
        dense = self.dense and task.name == "odd"
        return Pixels(WIDTH, task.num_outputs) if dense else Head((WIDTH,), task.num_outputs)
