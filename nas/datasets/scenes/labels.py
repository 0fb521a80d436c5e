"""The labels of what is seen: exact, from the hits themselves and never from the picture.

semseg   int64 [H, W], index into SEMSEG_CLASSES
parts    int64 [H, W], index into PARTS
depth    float [1, H, W], metres along the optical axis; 0 on the sky
normals  float [3, H, W], unit, towards the camera, in the camera's frame: x right, y down, z forward, so that a
         wall faced squarely has (0, 0, -1); zero on the sky. A horizontal flip negates x.
edge     float [1, H, W], 0 or 1
sal      float [1, H, W], 0 or 1
"""

import math

import torch
from torch import Tensor

from nas.datasets.scenes.classes import FOREGROUND_CLASSES, SEMSEG_CLASSES
from nas.datasets.scenes.primitives import dot
from nas.datasets.scenes.table import Table
from nas.datasets.scenes.view import View

_CREASE = math.cos(math.radians(30))
_STEP = 0.02
_LEAST_AREA = 0.005
_SECOND = 0.5


def exact_labels(table: Table, view: View) -> dict[str, Tensor]:
    """All six labels of a batch of B views, each [B, ...]."""
    image = view.frame.image
    depth = image(torch.where(view.sky, 0.0, view.depth))
    axes = table.axes.index_select(0, view.scene).permute(1, 2, 0)
    in_camera = axes[:, 0] * view.normal[0] + axes[:, 1] * view.normal[1] + axes[:, 2] * view.normal[2]
    normals = image(torch.where(view.sky, 0.0, in_camera))
    return {
        "semseg": image(view.numbers[2]),
        "parts": image(view.numbers[3]),
        "depth": depth[:, None],
        "normals": normals.transpose(0, 1),
        "edge": _edges(view).to(depth.dtype)[:, None],
        "sal": _salient(table, view).to(depth.dtype)[:, None],
    }


def _edges(view: View) -> Tensor:
    """Pixels that are parted from the neighbour to the right or below. Two neighbours are parted if they belong to

    - different objects (the shell and the sky count as one each): an occlusion or a contact;
    - different smooth surfaces of one object whose normals differ by more than 30 degrees: a crease;
    - different primitives of one object, and each lies off the other's tangent plane by more than 2 % of the nearer
      depth: an object that occludes itself.
    """
    image = view.frame.image
    owner = image(torch.where(view.sky, -1, view.numbers[1]))
    surface, normal, point = image(view.surface), image(view.normal), image(view.point)
    depth = image(view.depth)
    edge = torch.zeros_like(owner, dtype=torch.bool)
    for dim in (-1, -2):
        size = owner.shape[dim]

        def pair(x: Tensor, dim: int = dim, size: int = size) -> tuple[Tensor, Tensor]:
            return x.narrow(dim, 0, size - 1), x.narrow(dim, 1, size - 1)

        (owner_a, owner_b), (surface_a, surface_b) = pair(owner), pair(surface)
        (normal_a, normal_b), (point_a, point_b) = pair(normal), pair(point)
        step = point_b - point_a
        least = _STEP * torch.minimum(*pair(depth))
        off_planes = torch.minimum(dot(step, normal_a).abs(), dot(step, normal_b).abs()) > least
        crease = (surface_a != surface_b) & (dot(normal_a, normal_b) < _CREASE)
        step_within = (surface_a // 8 != surface_b // 8) & off_planes
        parted = (owner_a != owner_b) | ((owner_a >= 0) & (crease | step_within))
        edge.narrow(dim, 0, size - 1).logical_or_(parted)
    return edge


def _salient(table: Table, view: View) -> Tensor:
    """The most prominent foreground object and the second one, if it is at least half as prominent.

    Prominence is an object's visible area, each pixel weighted 1 at the picture's centre and falling with the squared
    distance to 0 at its corners. Objects below 0.5 % of the picture are never salient.
    """
    owner, semantic = view.frame.image(view.numbers[1]), view.frame.image(view.numbers[2])
    foreground = torch.zeros(len(SEMSEG_CLASSES), dtype=torch.bool, device=owner.device)
    foreground[[SEMSEG_CLASSES.index(name) for name in FOREGROUND_CLASSES]] = True
    owner = torch.where(foreground[semantic], owner, 0).flatten(1)
    _, height, width = semantic.shape
    y = (torch.arange(height, device=owner.device) + 0.5) / height * 2 - 1
    x = (torch.arange(width, device=owner.device) + 0.5) / width * 2 - 1
    # Whole numbers, so that the sums do not depend on their order.
    weight = (1000 * (1 - (y[:, None] ** 2 + x**2) / 2)).round().long().flatten().expand_as(owner)
    num_objects = int(table.numbers[..., 1].max()) + 1
    empty = torch.zeros(len(owner), max(num_objects, 2), dtype=torch.long, device=owner.device)
    area = empty.scatter_add(1, owner, torch.ones_like(weight))
    prominence = empty.scatter_add(1, owner, weight)
    prominence = torch.where(area >= _LEAST_AREA * height * width, prominence, 0)
    prominence[:, 0] = 0
    # A stable sort: of equals the one that was placed first.
    ranked, order = prominence.sort(dim=1, descending=True, stable=True)
    one, two = order[:, :1], torch.where(ranked[:, 1:2] >= _SECOND * ranked[:, :1], order[:, 1:2], order[:, :1])
    found = ((owner == one) | (owner == two)) & (ranked[:, :1] > 0)
    return found.view(-1, height, width)
