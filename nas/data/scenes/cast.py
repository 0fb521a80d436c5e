"""Ray casting: the nearest primitive along rays that leave one point, a camera or a light.

Rays come in tiles of `TILE` x `TILE` neighbouring pixels. A tile's rays lie in a cone; a primitive is tested against a
tile only if its bounding sphere meets the cone. That test has a margin, so it never changes the result, and the
result for a scene depends on that scene alone: what decides it are elementwise IEEE operations and a minimum.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from nas.data.scenes.primitives import dot, entry
from nas.data.scenes.table import Table

TILE = 4
"""Pixels along a tile's side; at 96x96, 4 takes 15 % less time than 8."""

_NEAREST = 1e-3  # metres in front of the camera, or that part of the way from a light
_NO_HIT = 0xFFFF


class Hits(NamedTuple):
    """For rays [B, T, TILE^2]: the parameter of the nearest hit (infinite: none) and the row of its primitive."""

    t: Tensor
    row: Tensor


def cast(origin: Tensor, directions: Tensor, table: Table, reach: float) -> Hits:
    """The nearest solid along rays origin + t directions, 0 < t < reach: origin [B, 3], directions [3, B, T, TILE^2].

    Of solids hit at the same t the one of the lowest row counts.
    """
    _, num_scenes, num_tiles, num_rays = directions.shape
    near = _touched(origin, directions, table)
    offset = origin[:, None] - table.centre
    matrix = table.matrix
    local_origin = (matrix * offset[:, :, None]).unbind(-1)
    local_origin_BP3 = local_origin[0] + local_origin[1] + local_origin[2]
    # Distance and row in one integer, so that a single minimum finds both; positive floats sort like their bits.
    best = torch.full((num_scenes * num_tiles, num_rays), (0x7F800000 << 16) | _NO_HIT, device=origin.device)
    for kind, (start, stop) in table.spans.items():
        if kind == "plane" or start == stop:
            continue
        scene, row, tile = near[:, start:stop].nonzero(as_tuple=True)
        row = row + start
        m = matrix[scene, row].permute(1, 2, 0).unsqueeze(-1)
        o = local_origin_BP3[scene, row].t().unsqueeze(-1)
        d = directions.flatten(1, 2).index_select(1, scene * num_tiles + tile)
        d = torch.stack([m[i, 0] * d[0] + m[i, 1] * d[1] + m[i, 2] * d[2] for i in range(3)])
        nearest = -dot(o, d) / dot(d, d)
        s, hit = entry(kind, o + nearest * d, d, table.shape[scene, row].unsqueeze(-1))
        t = nearest + s
        t = torch.where(hit & (t > _NEAREST) & (t < reach), t, torch.inf)
        key = (t.view(torch.int32).long() << 16) | row.unsqueeze(-1)
        best.scatter_reduce_(0, (scene * num_tiles + tile).unsqueeze(-1).expand_as(key), key, "amin")
    t = (best >> 16).int().view(torch.float32)
    return Hits(t.view(num_scenes, num_tiles, num_rays), (best & 0xFFFF).view(num_scenes, num_tiles, num_rays))


def _touched(origin: Tensor, directions: Tensor, table: Table) -> Tensor:
    """[B, P, T]: may a ray of the tile meet the primitive's bounding sphere?

    With the sphere's half angle phi = asin(radius / distance), the cone's half angle alpha and theta between their
    axes: theta <= phi + alpha. A cone wider than a half-space touches everything.
    """
    unit = directions / dot(directions, directions).sqrt()
    axis = unit.mean(-1)
    axis = axis / dot(axis, axis).sqrt().clamp_min(1e-6)
    cos_alpha = dot(unit, axis.unsqueeze(-1)).amin(-1).clamp(-1, 1)[:, None]
    sin_alpha = (1 - cos_alpha * cos_alpha).clamp_min(0).sqrt()
    to_centre = (table.centre - origin[:, None]).permute(2, 0, 1)
    distance = dot(to_centre, to_centre).sqrt().clamp_min(1e-6)
    sin_phi = (table.radius / distance)[..., None]
    cos_phi = (1 - sin_phi * sin_phi).clamp_min(0).sqrt()
    towards, axis = (to_centre / distance).unsqueeze(-1), axis.unsqueeze(2)
    cos_theta = towards[0] * axis[0] + towards[1] * axis[1] + towards[2] * axis[2]
    # The margin is a hundred times the rounding of a cosine in float32.
    meets = cos_theta >= cos_phi * cos_alpha - sin_phi * sin_alpha - 1e-5
    return (meets | (sin_phi >= 1) | (cos_alpha <= 0)) & (table.radius >= 0).unsqueeze(-1)


def shell_exit(table: Table, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Where camera rays leave the shell: t (infinite: never) and the face, 2 axis + (1: towards the upper corner)."""
    shape = (-1, 1, 1)
    ts = []
    for axis in range(3):
        d, o = directions[axis], table.origin[:, axis].view(shape)
        bound = torch.where(d < 0, table.lower[:, axis].view(shape), table.upper[:, axis].view(shape))
        ts.append((bound - o) / torch.where(d == 0, 1e-12, d))
    t = torch.minimum(torch.minimum(ts[0], ts[1]), ts[2])
    axis_hit = torch.where(ts[2] == t, 2, torch.where(ts[1] == t, 1, 0))
    towards = torch.where(axis_hit == 2, directions[2], torch.where(axis_hit == 1, directions[1], directions[0])) > 0
    return t, 2 * axis_hit + towards
