"""Networks of every search space, small, with samples and statistics that are not those of a fresh network."""

import functools
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import nn
from toys import seeded

from nas.datasets.dense_tasks import scene_tasks
from nas.datasets.digits import DigitPairs, digit_tasks
from nas.datasets.scenes import Scenes
from nas.deploy import FORMATS, Description, ExportableNetwork, InputRecord, Pixels, TaskRecord
from nas.networks.branched import BranchedNetwork
from nas.tree import random_tree_shape
from search_spaces import DigitsBackbone, MobileNetV2, ResNet, ViT, from_module

LEFT, *_, INK, RESTORE = digit_tasks()
SCENES = scene_tasks()
SEMSEG, PARTS, DEPTH, NORMALS, EDGE, SAL = SCENES


class OwnHead(nn.Module):
    """An image from the last features: what a user's own head looks like."""

    def __init__(self, width, num_outputs):
        super().__init__()
        self.out = nn.Conv2d(width, num_outputs, 3, padding=1)

    def forward(self, features, size):
        return nn.functional.interpolate(self.out(features[-1]), size=size, mode="bilinear")


def own_backbone():
    layers = {"stem": nn.Conv2d(3, 6, 3, 2, 1), "norm": nn.BatchNorm2d(6)}
    for l in range(3):
        layers |= {f"act{l}": nn.ReLU(), f"conv{l}": nn.Conv2d(6, 6, 3, padding=1, groups=1 + l % 2)}
    module = seeded(lambda: nn.Sequential(OrderedDict(layers)))
    return from_module(
        module, stem="norm", blocks=("conv0", "conv1", "conv2"), head=lambda t: OwnHead(6, t.num_outputs)
    )


def per_image(task):
    """The task with one label for a whole image."""
    return task.model_copy(update={"dense": False})


SPACES = {
    "digits": lambda: (DigitsBackbone(widths=(4, 6, 6), strided=(2,)), (LEFT, INK, RESTORE)),
    "dense": lambda: (
        DigitsBackbone(widths=(4, 6), strided=(1,), dense_tasks=tuple(t.name for t in SCENES), in_channels=3),
        (SEMSEG, DEPTH, NORMALS, EDGE),
    ),
    "own": lambda: (own_backbone(), (SEMSEG, NORMALS, SAL)),
    "resnet stages": lambda: (ResNet(depth=18, granularity="stage", decoder="aspp"), (SEMSEG, DEPTH)),
    "resnet blocks": lambda: (ResNet(depth=18), (SEMSEG, per_image(SAL))),
    "tokens": lambda: (
        ViT(image_size=(32, 40), width=16, depth=3, num_heads=2),
        (SEMSEG, NORMALS, per_image(SAL)),
    ),
    "mobilenet": lambda: (MobileNetV2(width=0.25), (SEMSEG, NORMALS, per_image(EDGE))),
}


@functools.cache
def samples(space, num_samples=4):
    """Inputs of the test split: pairs of digits, or scenes of 32 x 40 pixels."""
    if space == "digits":
        source = DigitPairs(num_train=16, num_architecture=2, num_validation=2, num_test=num_samples)
    else:
        source = Scenes(sizes={"test": num_samples}, image_size=(32, 40))
    split = source.split("test")
    return torch.stack([split[i][0] for i in range(num_samples)]), Pixels.of(source.pixel_scale)


def make_network(space, seed):
    """A random tree's network and the samples for it; its BatchNorms have seen some of them, scaled and shifted."""
    backbone, tasks = SPACES[space]()
    inputs, pixels = samples(space)
    tree = random_tree_shape([task.name for task in tasks], backbone.num_blocks, np.random.default_rng(seed))
    network = seeded(lambda: BranchedNetwork(backbone, tasks, tree), seed)
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        # Instances of one block that start alike, as pretrained ones do, would be the same computation, and a graph has
        # each computation once.
        parameter.data.mul_(torch.empty_like(parameter).uniform_(0.8, 1.2, generator=generator))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            # Of unequal weights, so that a channel in another's place would show.
            module.weight.data.uniform_(0.5, 2, generator=generator)
            module.bias.data.uniform_(-1, 1, generator=generator)
    with torch.no_grad():
        for _ in range(3):
            network(inputs)
    return network.eval(), backbone, list(tasks), inputs, pixels


def describe(network, tasks, inputs, pixels, format, *, takes_pixels=False, answers=False):
    with torch.no_grad():
        outputs = network(inputs[:1])
    return Description(
        format=format,
        tasks=tuple(TaskRecord.of(task, tuple(outputs[task.name].shape[1:])) for task in tasks),
        tree=network.tree.to_dict(),
        input=InputRecord(shape=tuple(inputs.shape[1:]), pixels=pixels, takes_pixels=takes_pixels),
        answers=answers,
    )


def exportable(network, described):
    return ExportableNetwork(
        network,
        described.tasks,
        pixels=described.input.pixels if described.input.takes_pixels else None,
        give_answers=described.answers,
    )


def export_graph(module, inputs, origin, described):
    """The bytes and the description of an export in the format that is described."""
    return FORMATS[described.format].export(module, inputs, origin, described)


class Canary:
    """What a pickle can do on its own: it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (Path(self.path),))
