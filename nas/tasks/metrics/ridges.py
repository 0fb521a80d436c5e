"""Thinning of a map of boundaries to lines: non-maximum suppression across them."""

import torch
from torch import Tensor
from torch.nn import functional

SIGMA = 2.0
"""Standard deviation in pixels of the Gaussian window in which the direction of a line is estimated."""

EQUAL = 1e-4
"""Numbers that differ by less count as equal, because interpolation rounds."""


def ridges(maps: Tensor) -> Tensor:
    """Where a map is at least as high as one pixel to either side, across the line through the pixel.

    "Across" is the direction in which the map changes most around the pixel: the first axis of the structure tensor
    (outer products of gradients, averaged by a Gaussian of 2 pixels). Values one pixel away are interpolated
    bilinearly; beyond the border, the map continues with the values at the border. A ridge becomes one or two pixels
    wide. Between equal neighbours (as in a map of labels) nothing is suppressed.

    Args:
        maps: [n, 1, H, W], floats.

    Returns:
        Booleans of the same shape.
    """
    d_y, d_x = _slopes(maps)
    angle = torch.atan2(2 * _blurred(d_y * d_x), _blurred(d_x * d_x) - _blurred(d_y * d_y)) / 2
    across_y, across_x = torch.sin(angle), torch.cos(angle)
    sides = torch.maximum(_shifted(maps, across_y, across_x), _shifted(maps, -across_y, -across_x))
    return maps >= sides - EQUAL


def _blurred(maps: Tensor) -> Tensor:
    reach = round(3 * SIGMA)
    offsets = torch.arange(-reach, reach + 1, device=maps.device, dtype=maps.dtype)
    weights = torch.exp(-(offsets**2) / (2 * SIGMA**2))
    weights = weights / weights.sum()
    padded = functional.pad(maps, (reach, reach, reach, reach), mode="replicate")
    return functional.conv2d(functional.conv2d(padded, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))


def _slopes(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences down and across."""
    padded = functional.pad(maps, (1, 1, 1, 1), mode="replicate")
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return down, (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2


def _shifted(maps: Tensor, by_y: Tensor, by_x: Tensor) -> Tensor:
    """The map's values at each pixel's position plus (by_y, by_x)."""
    height, width = maps.shape[-2:]
    y = torch.arange(height, device=maps.device)[:, None] + by_y.squeeze(1)
    x = torch.arange(width, device=maps.device) + by_x.squeeze(1)
    # From pixels to [-1, 1] between the outer borders of the first and last one.
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    return functional.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)
