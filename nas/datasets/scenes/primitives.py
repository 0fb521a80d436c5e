"""Where a ray enters each kind of primitive, and the normal there: closed forms in the primitive's own frame.

Every kind is convex, so a ray meets it in one interval of its parameter; the entry is the start of the interval.

    sphere    |p| <= 1
    box       |x|, |y|, |z| <= 1
    cylinder  x^2 + y^2 <= 1,  |z| <= 1
    cone      x^2 + y^2 <= r(z)^2,  r(z) = ((1 + k) - (1 - k) z) / 2,  |z| <= 1     (k = shape, in [0, 1])
    capsule   distance to the segment from (0, 0, -k) to (0, 0, k) <= 1              (k = shape)

A ray is q + s d with q its point closest to the origin: near the primitive the numbers are small, so that float32 is
exact enough even for a light a hundred metres away (Haines et al., Precision Improvements for Ray/Sphere
Intersection, Ray Tracing Gems, 2019, use the same remedy).
"""

import torch
from torch import Tensor

from nas.datasets.scenes.solids import KINDS, Kind

_TINY = 1e-12


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Scalar product over the first dimension, summed in a fixed order whatever the layout."""
    product = a * b
    return product[0] + product[1] + product[2]


def entry(kind: Kind, q: Tensor, d: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    """The parameter s [...] at which the rays q + s d enter the unit solid, and whether they do; without a hit, s
    means nothing.

    q and d are [3, ...], shape broadcasts over [...].
    """
    start, end = _INTERVALS[kind](q, d, shape)
    return start, start <= end


def _roots(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Roots of a s^2 + 2 b s + c, the lower one first if a > 0; where there are none, an interval that ends before it
    starts."""
    discriminant = b * b - a * c
    # The root takes the discriminant's sign, which turns the interval of a miss around without a branch.
    root = discriminant / discriminant.abs().clamp_min(_TINY).sqrt()
    return (-b - root) / a, (-b + root) / a


def _slab(q: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    inverse = 1 / torch.where(d.abs() < _TINY, _TINY, d)
    middle, half = -q * inverse, inverse.abs()
    return middle - half, middle + half


def _sphere(q: Tensor, d: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    return _roots(dot(d, d), dot(q, d), dot(q, q) - 1)


def _box(q: Tensor, d: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    starts, ends = _slab(q, d)
    return torch.maximum(torch.maximum(starts[0], starts[1]), starts[2]), torch.minimum(
        torch.minimum(ends[0], ends[1]), ends[2]
    )


def _tube(q: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    a = (d[0] * d[0] + d[1] * d[1]).clamp_min(_TINY)
    return _roots(a, q[0] * d[0] + q[1] * d[1], q[0] * q[0] + q[1] * q[1] - 1)


def _cylinder(q: Tensor, d: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    start, end = _tube(q, d)
    low, high = _slab(q[2], d[2])
    return torch.maximum(start, low), torch.minimum(end, high)


def _cone(q: Tensor, d: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    slope = (shape - 1) / 2
    radius, drift = (1 + shape) / 2 + slope * q[2], slope * d[2]
    a = d[0] * d[0] + d[1] * d[1] - drift * drift
    a = torch.where(a.abs() < _TINY, _TINY, a)
    first, second = _roots(a, q[0] * d[0] + q[1] * d[1] - drift * radius, q[0] * q[0] + q[1] * q[1] - radius * radius)
    # a < 0: the ray is steeper than the cone and has one root on each nappe, the first root being the larger one.
    # It stays for ever in the nappe towards which r grows, which is the solid's.
    steep, widens = a < 0, drift > 0
    start = torch.where(steep, torch.where(widens, first, -torch.inf), first)
    end = torch.where(steep, torch.where(widens, torch.inf, second), second)
    low, high = _slab(q[2], d[2])
    return torch.maximum(start, low), torch.minimum(end, high)


def _capsule(q: Tensor, d: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    start, end = _tube(q, d)
    # A ray that enters the infinite tube beyond an end of the segment can only enter through that end's cap. The
    # interval's end is not where the ray leaves the capsule, but where it leaves the piece that it enters first; it is
    # after the start iff the ray hits.
    z = q[2] + start * d[2]
    to_cap = torch.stack((q[0], q[1], q[2] - torch.minimum(torch.maximum(z, -shape), shape)))
    cap_start, cap_end = _sphere(to_cap, d, shape)
    outside = z.abs() > shape
    return torch.where(outside, cap_start, start), torch.where(outside, cap_end, end)


_INTERVALS = {"sphere": _sphere, "box": _box, "cylinder": _cylinder, "cone": _cone, "capsule": _capsule}


def outward(kind: Tensor, p: Tensor, shape: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """Outward normals [3, N], not of unit length, at points p [3, N] of unit solids, and the number of the face.

    `kind` [N] indexes `KINDS`, `size` [3, N] are the half extents. Two points are on one face iff the surface between
    them is smooth: a box has six faces, a cylinder or cone three, the others one. Planes have none of this and get
    zeros.
    """
    x, y, z = p
    # A box's point is on the face that is nearest in metres: relative to a thin side, rounding errors are large.
    depth = (1 - p.abs()) * size
    along = (depth == torch.minimum(torch.minimum(depth[0], depth[1]), depth[2])).to(p.dtype)
    along = torch.stack((along[0], along[1] * (1 - along[0]), along[2] * (1 - along[0]) * (1 - along[1])))
    sign = 1 - 2 * (p < 0).to(p.dtype)
    slope = (shape - 1) / 2
    radius = (1 + shape) / 2 + slope * z
    distance2 = x * x + y * y
    zero = torch.zeros_like(z)
    cap_cylinder, cap_cone = z * z > distance2, z * z * radius * radius > distance2
    up = torch.stack((zero, zero, sign[2]))
    cap_face = torch.where(z < 0, 1, 2)
    candidates = {
        "sphere": (p, zero.long()),
        "box": (along * sign, ((2 * along[1] + 4 * along[2]) + (dot(along, sign) > 0)).long()),
        "cylinder": (torch.where(cap_cylinder, up, torch.stack((x, y, zero))), torch.where(cap_cylinder, cap_face, 0)),
        "cone": (
            torch.where(cap_cone, up, torch.stack((x, y, -slope * radius))),
            torch.where(cap_cone, cap_face, 0),
        ),
        "capsule": (torch.stack((x, y, z - torch.minimum(torch.maximum(z, -shape), shape))), zero.long()),
    }
    normal, face = torch.zeros_like(p), torch.zeros_like(kind)
    for name, (its_normal, its_face) in candidates.items():
        mine = kind == KINDS.index(name)
        normal, face = torch.where(mine, its_normal, normal), torch.where(mine, its_face, face)
    return normal, face
