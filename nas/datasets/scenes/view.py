"""What the camera sees: per pixel the surface that its ray meets, as flat tensors in the order of the tiles."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from nas.datasets.scenes.cast import TILE, cast, shell_exit
from nas.datasets.scenes.primitives import dot, outward
from nas.datasets.scenes.solids import KINDS
from nas.datasets.scenes.table import CEILING, FLOOR, SKY, WALL, Table

FAR = 60.0
"""Metres: where the world ends and the sky begins."""


class Frame(NamedTuple):
    """An image of B scenes, cut into tiles; its last row and column of tiles may reach beyond the picture."""

    num_scenes: int
    height: int
    width: int

    @property
    def tiles(self) -> tuple[int, int]:
        return math.ceil(self.height / TILE), math.ceil(self.width / TILE)

    def pixels(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """Row and column of every pixel, each [T, TILE^2]."""
        rows, columns = self.tiles
        y = torch.arange(rows * TILE, device=device).view(rows, 1, TILE, 1).expand(rows, columns, TILE, TILE)
        x = torch.arange(columns * TILE, device=device).view(1, columns, 1, TILE).expand(rows, columns, TILE, TILE)
        return y.reshape(-1, TILE * TILE), x.reshape(-1, TILE * TILE)

    def image(self, flat: Tensor) -> Tensor:
        """[..., B T TILE^2] as pictures [..., B, H, W]."""
        rows, columns = self.tiles
        tiled = flat.reshape(*flat.shape[:-1], self.num_scenes, rows, columns, TILE, TILE).transpose(-3, -2)
        return tiled.flatten(-4, -3).flatten(-2, -1)[..., : self.height, : self.width].contiguous()


class View(NamedTuple):
    """N = B T TILE^2 pixels. `ray` has unit length along the optical axis, so that `depth` [N], infinite on the sky, is
    both the ray's parameter and the distance along that axis; point, ray and normal are [3, N] in the world, `local`
    the point in its primitive's rotated frame, in metres. `surface` [N] numbers smooth surfaces within a scene.
    `values` [26, N] and `numbers` [5, N] are the entries of the primitive in the `Table`.
    """

    frame: Frame
    scene: Tensor
    depth: Tensor
    ray: Tensor
    point: Tensor
    normal: Tensor
    local: Tensor
    surface: Tensor
    values: Tensor
    numbers: Tensor

    @property
    def sky(self) -> Tensor:
        return torch.isinf(self.depth)


def look(table: Table, height: int, width: int) -> View:
    """Cast one ray through the centre of each pixel."""
    device = table.origin.device
    frame = Frame(len(table.origin), height, width)
    y, x = frame.pixels(device)
    scale = table.half_width[:, None, None] * (2 / width)
    right, down = (x + 0.5 - width / 2) * scale, (y + 0.5 - height / 2) * scale
    axes = table.axes[..., None, None]
    rays = torch.stack([right * axes[:, 0, i] + down * axes[:, 1, i] + axes[:, 2, i] for i in range(3)])
    hits = cast(table.origin, rays, table, FAR)
    exit_t, exit_face = shell_exit(table, rays)
    shell_row = torch.where(exit_face == 4, FLOOR, torch.where(exit_face == 5, CEILING, WALL))
    row = torch.where(exit_t <= hits.t, shell_row, hits.row)
    depth = torch.minimum(exit_t, hits.t)
    row, depth = torch.where(depth < FAR, row, SKY), torch.where(depth < FAR, depth, torch.inf)
    scene = torch.arange(frame.num_scenes, device=device).repeat_interleave(row[0].numel())
    return _surfaces(table, frame, scene, depth.flatten(), rays.flatten(1), row.flatten(), exit_face.flatten())


def _surfaces(
    table: Table, frame: Frame, scene: Tensor, depth: Tensor, ray: Tensor, row: Tensor, shell_face: Tensor
) -> View:
    entry = scene * table.values.shape[1] + row
    values = table.values.flatten(0, 1).t().contiguous().index_select(1, entry)
    numbers = table.numbers.flatten(0, 1).t().contiguous().index_select(1, entry)
    origin = table.origin.index_select(0, scene).t()
    point = origin + torch.where(torch.isinf(depth), 0.0, depth) * ray
    matrix, centre, size, shape = values[:9].view(3, 3, -1), values[9:12], values[12:15], values[15]
    offset = point - centre
    unit = matrix[:, 0] * offset[0] + matrix[:, 1] * offset[1] + matrix[:, 2] * offset[2]
    kind = numbers[0]
    out, face = outward(kind, unit, shape, size)
    # Normals go by the inverse transpose of object-to-world: the transpose of `matrix`.
    normal = matrix[0] * out[0] + matrix[1] * out[1] + matrix[2] * out[2]
    is_plane = kind == KINDS.index("plane")
    normal = torch.where(is_plane, _INWARD.to(ray.device).index_select(0, shell_face).t(), normal)
    face = torch.where(is_plane, shell_face, face)
    normal = normal / dot(normal, normal).sqrt().clamp_min(1e-12)
    return View(frame, scene, depth, ray, point, normal, unit * size, row * 8 + face, values, numbers)


_INWARD = torch.tensor([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=torch.float32)


def reached(table: Table, view: View) -> Tensor:
    """Which points the light reaches, as 0 and 1 [N]: rays from the light meet nothing before them.

    Surfaces that face away from the light, and the sky, are not reached.
    """
    frame = view.frame
    to_point = view.point - table.light.index_select(0, view.scene).t()
    faces = (dot(to_point, view.normal) < 0).to(view.depth.dtype)
    tiles = (frame.num_scenes, frame.tiles[0] * frame.tiles[1], TILE * TILE)
    rays, wanted = to_point.view(3, *tiles), faces.view(tiles)
    # The other rays of a tile point at the middle of the wanted ones, so as not to widen the tile's cone; where none
    # is wanted they point up.
    count = wanted.sum(-1, keepdim=True)
    middle = (rays * wanted).sum(-1, keepdim=True) / count.clamp_min(1)
    middle = torch.stack((middle[0], middle[1], torch.where(count > 0, middle[2], 1.0)))
    hits = cast(table.light, torch.where(wanted > 0, rays, middle), table, 1.0)
    gap = (1 - hits.t.flatten()) * dot(to_point, to_point).sqrt()
    return faces * (gap < _SELF_SHADOW)


_SELF_SHADOW = 0.01
"""Metres: an occluder this close to a point is the point's own surface, found again with rounding."""
