"""Noise as a function of integers: the same value wherever, whenever and in whatever batch it is computed."""

import torch
from torch import Tensor

# The two multipliers and three shifts of "lowbias32" (C. Wellons, public domain), wrapped to signed 32 bits.
_FIRST, _SECOND = 0x7FEB352D, 0x846CA68B - (1 << 32)
_STRIDES = (0x1B873593, 0x165667B1, 0x27D4EB2F)


def scramble(x: Tensor) -> Tensor:
    """A bijection of 32-bit integers (int32, wrapping) under which neighbours look unrelated."""
    x = (x ^ ((x >> 16) & 0xFFFF)) * _FIRST
    x = (x ^ ((x >> 15) & 0x1FFFF)) * _SECOND
    return x ^ ((x >> 16) & 0xFFFF)


def uniform(x: Tensor) -> Tensor:
    """Float32 in [0, 1), a multiple of 2^-24, from int32."""
    return (scramble(x) & 0xFFFFFF).float() * 2.0**-24


def normal(x: Tensor) -> Tensor:
    """Zero mean and unit variance from int32: the sum of four bytes, within 3.5 of zero (Irwin-Hall, n = 4)."""
    x = scramble(x)
    total = (x & 255) + ((x >> 8) & 255) + ((x >> 16) & 255) + ((x >> 24) & 255)
    return (total.float() - 510.0) * (1 / 147.8)


def lattice_noise(p: Tensor, seed: Tensor) -> Tensor:
    """Value noise in [0, 1) at points p [3, N]: uniform values at integer points, smoothly interpolated between."""
    below = p.floor()
    t = p - below
    t = t * t * (3 - 2 * t)
    cell = below.to(torch.int32)
    low = [cell[i] * _STRIDES[i] for i in range(3)]
    high = [low[i] + _STRIDES[i] for i in range(3)]
    planes = []
    for z in (low[2], high[2]):
        rows = []
        for y in (low[1], high[1]):
            base = seed + y + z
            a, b = uniform(base + low[0]), uniform(base + high[0])
            rows.append(a + t[0] * (b - a))
        planes.append(rows[0] + t[1] * (rows[1] - rows[0]))
    return planes[0] + t[2] * (planes[1] - planes[0])
