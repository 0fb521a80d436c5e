"""Noise on pictures: a function of the scene's seed and the pixel."""

import torch
from torch import Tensor

from nas.datasets.scenes.hashing import normal, scramble

_STREAM = 0x3C6EF372


def noisy_image(image: Tensor, strength: float, seed: Tensor) -> Tensor:
    """Pictures [B, 3, H, W] with additive noise of that standard deviation, in 256 steps as a camera stores them."""
    if strength > 0:
        image = image + strength * normal(_numbers(seed, image.shape[1:]))
    return (image.clamp(0, 1) * 255).round() / 255


def _numbers(seed: Tensor, shape: torch.Size) -> Tensor:
    """Distinct int32 [B, *shape], to be hashed: the scene's own start, then one by one."""
    start = scramble(seed ^ scramble(torch.full_like(seed, _STREAM)))
    count = torch.arange(shape.numel(), dtype=torch.int32, device=seed.device).view(shape)
    return start.view(-1, *[1] * len(shape)) + count
