"""The colour of what is seen: textures, one light with hard shadows, half-space ambient light, haze and sky."""

import torch
from torch import Tensor

from nas.datasets.scenes.hashing import lattice_noise, scramble
from nas.datasets.scenes.primitives import dot
from nas.datasets.scenes.solids import PATTERNS
from nas.datasets.scenes.table import Table
from nas.datasets.scenes.view import View, reached


def colour(table: Table, view: View, texture_noise: float) -> Tensor:
    """Pictures [B, 3, H, W], linear, in [0, 1]; `texture_noise` scales the contrast of the surfaces' noise."""
    lighting = table.lighting.index_select(0, view.scene).t()
    key, above, below, zenith, horizon = lighting[:15].view(5, 3, -1)
    strength, falloff, fill, clouds, haze = lighting[15:]
    sky = view.sky
    noise = _noise(table, view)
    period, grain, emission, gloss = view.values[22:]
    towards_camera = -dot(view.ray, view.normal) / dot(view.ray, view.ray).sqrt()
    footprint = view.depth * (2 / view.frame.width) * table.half_width.index_select(0, view.scene)
    # Patterns finer than the pixels that see them fade into their mean instead of flickering.
    sharpness = (0.25 * period * towards_camera.clamp_min(0.05) / footprint).clamp(0, 1)
    mix = 0.5 + (_pattern(view, noise) - 0.5) * sharpness
    plain = view.numbers[4] == PATTERNS.index("plain")
    mix = torch.where(plain, 0.0, mix)
    albedo = view.values[16:19] + mix * (view.values[19:22] - view.values[16:19])
    albedo = albedo * (1 + texture_noise * grain * sharpness * (2 * noise - 1))

    to_light = table.light.index_select(0, view.scene).t() - view.point
    distance2 = dot(to_light, to_light)
    to_light = to_light / distance2.sqrt()
    lit = reached(table, view) * strength / (1 + falloff * distance2)
    facing = dot(to_light, view.normal).clamp_min(0)
    ambient = below + (0.5 + 0.5 * view.normal[2]) * (above - below)
    bounced = ambient + fill * towards_camera.clamp_min(0)
    halfway = to_light - view.ray / dot(view.ray, view.ray).sqrt()
    highlight = dot(halfway, view.normal).clamp_min(0) / dot(halfway, halfway).sqrt().clamp_min(1e-6)
    for _ in range(5):
        highlight = highlight * highlight  # to the power 32
    shaded = albedo * (key * lit * facing + bounced + emission) + key * lit * gloss * highlight

    remaining = 1 / (1 + haze * torch.where(sky, 0.0, view.depth))
    shaded = horizon + remaining * (shaded - horizon)
    overhead = (view.ray[2] / dot(view.ray, view.ray).sqrt()).clamp(0, 1).sqrt()
    cloud = (clouds * (3 * noise - 1.2) * overhead * 2).clamp(0, 1) * 0.9
    heavens = horizon + overhead * (zenith - horizon)
    heavens = heavens + cloud * (1 - heavens)
    return view.frame.image(torch.where(sky, heavens, shaded).clamp(0, 1)).transpose(0, 1)


def _noise(table: Table, view: View) -> Tensor:
    """Smooth noise on each surface, with cells of half a period; on the sky, on a level plane far up."""
    elevation = view.ray[2].clamp_min(0) + 0.15 * dot(view.ray, view.ray).sqrt()
    at = torch.where(view.sky, 3 * view.ray / elevation, 2 * view.local / view.values[22])
    seed = scramble(table.seed).index_select(0, view.scene)
    return lattice_noise(at, seed + (view.numbers[1] * 77_731).int())


def _odd(x: Tensor) -> Tensor:
    return x - 2 * (0.5 * x).floor()


def _pattern(view: View, noise: Tensor) -> Tensor:
    """How much of the second colour, in [0, 1], in the primitive's own frame.

    Stripes run across z on solids and across y on the shell; bricks are two periods long and lie staggered.
    """
    period, pattern = view.values[22], view.numbers[4]
    # The offset keeps surfaces that are round numbers in their own frame away from the cells' borders.
    x, y, z = view.local / period + 0.37
    checker = _odd(x.floor() + y.floor() + z.floor())
    stripes = _odd(torch.where(view.numbers[1] == 0, y, z).floor())
    along = 0.5 * (x + y + z.floor())
    bricks = ((z - z.floor() < 0.14) | (along - along.floor() < 0.07)).to(period.dtype)
    patches = (4 * noise - 1.6).clamp(0, 1)
    value = torch.zeros_like(period)
    for name, its_value in {"checker": checker, "stripes": stripes, "bricks": bricks, "patches": patches}.items():
        value = torch.where(pattern == PATTERNS.index(name), its_value, value)
    return value
