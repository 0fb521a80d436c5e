"""From scenes to pictures and labels."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nas.datasets.scenes.corrupt import noisy_image
from nas.datasets.scenes.labels import exact_labels
from nas.datasets.scenes.scene import Scene
from nas.datasets.scenes.shade import colour
from nas.datasets.scenes.table import pack
from nas.datasets.scenes.view import look


class Look(NamedTuple):
    """How scenes become samples: `Scenes` explains the fields."""

    height: int
    width: int
    supersample: int
    texture_noise: float
    image_noise: float


def render(scenes: Sequence[Scene], how: Look, device: torch.device) -> tuple[Tensor, dict[str, Tensor]]:
    """Pictures [B, 3, H, W] in [0, 1] and the labels of every task, [B, ...].

    A scene's picture and labels do not depend on what else is in the batch, to the last bit.
    """
    table = pack(scenes, device)
    view = look(table, how.height, how.width)
    k = how.supersample
    fine = view if k == 1 else look(table, k * how.height, k * how.width)
    linear = colour(table, fine, how.texture_noise)
    if k > 1:
        linear = sum((linear[..., i::k, j::k] for i in range(k) for j in range(k)), torch.zeros(())) / k**2
    image = noisy_image(linear.sqrt(), how.image_noise, table.seed)
    labels = exact_labels(table, view)
    return image.contiguous(), {task: label.contiguous() for task, label in labels.items()}
