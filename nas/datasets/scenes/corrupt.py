"""Noise on pictures and on labels: a function of the scene's seed, the task and the pixel."""

import torch
from torch import Tensor

from nas.datasets.scenes.classes import PARTS, SEMSEG_CLASSES, TASKS
from nas.datasets.scenes.hashing import normal, scramble, uniform
from nas.datasets.scenes.primitives import dot

_STREAM = 0x3C6EF372


def noisy_image(image: Tensor, strength: float, seed: Tensor) -> Tensor:
    """Pictures [B, 3, H, W] with additive noise of that standard deviation, in 256 steps as a camera stores them."""
    if strength > 0:
        image = image + strength * normal(_numbers(seed, 0, image.shape[1:]))
    return (image.clamp(0, 1) * 255).round() / 255


def noisy_labels(labels: dict[str, Tensor], probability: float, seed: Tensor) -> dict[str, Tensor]:
    """Labels of which each pixel is wrong with the given probability, independently of other pixels and tasks.

    Wrong means: another class, uniformly; the depth times a factor uniform in [0.5, 1.5); a unit normal of random
    direction; edge and saliency flipped. Invalid pixels stay invalid.
    """
    return (
        {task: _corrupted(task, label, probability, seed) for task, label in labels.items()} if probability else labels
    )


def _corrupted(task: str, label: Tensor, probability: float, seed: Tensor) -> Tensor:
    stream = 8 * (1 + TASKS.index(task))
    pixels = label.shape[1:] if label.dim() == 3 else (1, *label.shape[2:])
    wrong = uniform(_numbers(seed, stream, pixels)) < probability
    if task in ("semseg", "parts"):
        num_classes = len(SEMSEG_CLASSES) if task == "semseg" else len(PARTS)
        shift = (uniform(_numbers(seed, stream + 1, pixels)) * (num_classes - 1)).long()
        return torch.where(wrong, (label + 1 + shift) % num_classes, label)
    if task == "depth":
        return torch.where(wrong, label * (0.5 + uniform(_numbers(seed, stream + 1, pixels))), label)
    if task == "normals":
        direction = normal(_numbers(seed, stream + 1, label.shape[1:])).transpose(0, 1)
        direction = (direction / dot(direction, direction).sqrt().clamp_min(1e-6)).transpose(0, 1)
        return torch.where(wrong & label.any(1, keepdim=True), direction, label)
    return torch.where(wrong, 1 - label, label)


def _numbers(seed: Tensor, stream: int, shape: tuple[int, ...] | torch.Size) -> Tensor:
    """Distinct int32 [B, *shape], to be hashed: the scene's own start for this stream, then one by one."""
    start = scramble(seed ^ scramble(torch.full_like(seed, _STREAM + stream)))
    count = torch.arange(torch.Size(shape).numel(), dtype=torch.int32, device=seed.device).view(shape)
    return start.view(-1, *[1] * len(shape)) + count
