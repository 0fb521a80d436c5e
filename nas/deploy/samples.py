"""Inputs to verify an exported network: samples of the experiment, or random numbers if its data are missing."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from nas.data import DataSource, SplitName, find_pixel_scale
from nas.data.seeds import seeded_generator
from nas.deploy.description import Pixels
from nas.errors import InputError
from nas.recipe import Experiment
from nas.run import build_data
from nas.steps import counted

SPLIT: SplitName = "test"


class Samples(NamedTuple):
    """Inputs [n, ...] of one shape, their origin in words, and the scaling of pixels, if the data define it."""

    inputs: Tensor
    origin: str
    pixels: Pixels | None


def draw_samples(experiment: Experiment, num_samples: int) -> Samples:
    """Evenly spaced samples of the test split; random numbers if the data cannot be read, with the reason as origin.

    Samples of another size than the experiment's ``input_shape`` are resized to it.
    """
    try:
        data = build_data(experiment)
        inputs = _spread(data, num_samples, experiment.input_shape, SPLIT)
    except InputError as error:
        generator = seeded_generator("export", experiment.seed)
        inputs = torch.randn(num_samples, *experiment.input_shape, generator=generator)
        return Samples(inputs, f"random numbers, as the data are not here ({error})", None)
    pixels = Pixels.of(find_pixel_scale(data))
    return Samples(inputs, f"{SPLIT} split", pixels)


def draw_calibration(experiment: Experiment, num_samples: int) -> Tensor:
    """Evenly spaced inputs [n, ...] of the training split, at most ``num_samples``; resized to ``input_shape``.

    Raises:
        InputError: the data cannot be read; random numbers would calibrate ranges that real samples do not have.
    """
    return _spread(build_data(experiment), num_samples, experiment.input_shape, "train")


def as_bytes(inputs: Tensor, pixels: Pixels) -> Tensor:
    """The pictures [n, C, H, W], uint8, that inputs were made from, rounded to 8 bits."""
    return (255 * pixels.from_inputs(inputs)).round().clamp(0, 255).to(torch.uint8)


def _spread(data: DataSource, num_samples: int, shape: tuple[int, ...], split: SplitName) -> Tensor:
    dataset = data.split(split)
    num_samples = min(num_samples, len(dataset))
    places = [i * len(dataset) // num_samples for i in range(num_samples)]
    inputs = [dataset[i][0].cpu() for i in counted(places, f"samples of split {split!r}", num_samples)]
    return torch.stack(
        [x if x.shape == shape else functional.interpolate(x[None], shape[1:], mode="bilinear")[0] for x in inputs]
    )
