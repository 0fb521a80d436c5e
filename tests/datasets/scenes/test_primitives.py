"""Intersections and normals against the implicit functions of the solids, which are negative inside."""

import pytest
import torch

from nas.datasets.scenes.primitives import dot, entry, outward
from nas.datasets.scenes.solids import KINDS

SOLIDS = [
    ("sphere", 0.0),
    ("box", 0.0),
    ("cylinder", 0.0),
    ("cone", 0.0),
    ("cone", 0.6),
    ("capsule", 0.4),
    ("capsule", 3.0),
]


def implicit(kind, p, shape):
    x, y, z = p
    slab = z.abs() - 1
    return {
        "sphere": lambda: dot(p, p) - 1,
        "box": lambda: p.abs().amax(0) - 1,
        "cylinder": lambda: torch.maximum(x * x + y * y - 1, slab),
        "cone": lambda: torch.maximum((x * x + y * y).sqrt() - ((1 + shape) - (1 - shape) * z) / 2, slab),
        "capsule": lambda: x * x + y * y + (z - z.clamp(-shape, shape)) ** 2 - 1,
    }[kind]()


def rays(num_rays, shape, seed=0):
    """Random rays, re-based as the caster does: q is the point closest to the origin. Double precision."""
    generator = torch.Generator().manual_seed(seed)
    start = 6 * torch.randn(3, num_rays, generator=generator, dtype=torch.double)
    target = (1 + shape) * torch.randn(3, num_rays, generator=generator, dtype=torch.double) * 0.7
    d = (target - start) * torch.rand(num_rays, generator=generator, dtype=torch.double).add(0.2)
    return start - dot(start, d) / dot(d, d) * d, d


@pytest.mark.parametrize(("kind", "shape"), SOLIDS)
def test_the_entry_is_where_the_ray_is_inside_for_the_first_time(kind, shape):
    q, d = rays(400, shape)
    start, hit = entry(kind, q, d, torch.full((400,), shape, dtype=torch.double))
    reach = (3 + shape) / dot(d, d).sqrt()
    steps = torch.linspace(-1, 1, 2001, dtype=torch.double)[:, None] * reach
    inside = implicit(kind, q[:, None] + steps * d[:, None], shape) <= 0
    seen = inside.any(0)
    # The samples are a thousandth of the reach apart: a ray that only grazes can be inside between two of them.
    step = reach / 1000
    assert not (seen & ~hit).any()
    assert int((hit & ~seen).sum()) <= 3
    assert 40 < int(hit.sum()) < 400
    first = torch.where(inside, steps, torch.inf).amin(0)
    assert ((first >= start) & (first - start <= step))[seen].all()


@pytest.mark.parametrize(("kind", "shape"), SOLIDS)
def test_the_normal_is_the_gradient_of_the_implicit_function(kind, shape):
    q, d = rays(400, shape, seed=1)
    shapes = torch.full((400,), shape, dtype=torch.double)
    start, hit = entry(kind, q, d, shapes)
    p = (q + start * d)[:, hit].requires_grad_()
    (gradient,) = torch.autograd.grad(implicit(kind, p, shape).sum(), p)
    normal, _ = outward(torch.full((int(hit.sum()),), KINDS.index(kind)), p.detach(), shapes[hit], torch.ones_like(p))
    cosine = dot(normal, gradient) / (dot(normal, normal) * dot(gradient, gradient)).sqrt()
    assert cosine.min() > 1 - 1e-9  # double precision, both closed forms
    assert (dot(normal, d[:, hit]) < 0).all()


def test_faces_of_a_box_and_of_a_cylinder_are_told_apart():
    axes = torch.eye(3)
    p = torch.cat([axes, -axes], dim=1)
    box, cylinder = torch.full((6,), KINDS.index("box")), torch.full((6,), KINDS.index("cylinder"))
    assert len(set(outward(box, p, torch.zeros(6), torch.ones(3, 6))[1].tolist())) == 6
    side_x, side_y, top, *_, bottom = outward(cylinder, p, torch.zeros(6), torch.ones(3, 6))[1].tolist()
    assert side_x == side_y
    assert len({side_x, top, bottom}) == 3
