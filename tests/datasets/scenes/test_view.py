"""What rays hit, against closed formulas and against casting every ray at every primitive."""

import math
import random

import numpy as np
import pytest
import torch

from nas.datasets.scenes import PARTS, SEMSEG_CLASSES, cast
from nas.datasets.scenes.labels import exact_labels
from nas.datasets.scenes.layout import compose
from nas.datasets.scenes.scene import Camera, Light, Scene, Shell
from nas.datasets.scenes.solids import KINDS, Material, Placed, Thing, ball, box
from nas.datasets.scenes.table import pack
from nas.datasets.scenes.view import look, reached

CPU = torch.device("cpu")
GREY = Material((0.5, 0.5, 0.5))
SUN = Light((0.0, 0.0, 100.0), (1.0, 1.0, 1.0), 1.0, 0.0, (0.3, 0.3, 0.3), (0.1, 0.1, 0.1), 0.0)
INF = math.inf
OPEN = Shell((-INF, -INF, 0.0), (INF, INF, INF), GREY, GREY, GREY, "ground")
# Looks along the world's y from 1.5 m above the ground; the field of view is 90 degrees.
CAMERA = Camera((0.0, 0.0, 1.5), math.pi / 2, 0.0, 1.0)


def see(scenes, height, width):
    table = pack(scenes, CPU)
    view = look(table, height, width)
    return table, view, exact_labels(table, view)


def pixel_grid(height, width):
    """Slopes to the right and down of the rays of a camera with half_width 1."""
    x = (np.arange(width) + 0.5 - width / 2) / (width / 2)
    y = (np.arange(height) + 0.5 - height / 2) / (width / 2)
    return np.meshgrid(x, y)


def random_scenes(count, seed=0):
    return [compose(random.Random(f"{seed}/{i}"), 0.5, (4, 9)) for i in range(count)]


def test_a_sphere_has_the_depth_and_the_normals_of_the_closed_formula():
    centre, radius = np.array([0.4, 5.0, 1.8]), 1.1
    scene = Scene(CAMERA, SUN, OPEN, [Placed(Thing("thing", [ball((0, 0, 0), radius, GREY)], 1.0), tuple(centre))], 0)
    _, _, labels = see([scene], 40, 60)
    x, y = pixel_grid(40, 60)
    # In the camera's frame, x right, y down, z forward, the sphere is at:
    c = np.array([centre[0], 1.5 - centre[2], centre[1]])
    ray = np.stack([x, y, np.ones_like(x)])
    a, b = (ray**2).sum(0), np.tensordot(c, ray, 1)
    discriminant = b**2 - a * (c @ c - radius**2)
    hit = discriminant > 0
    depth = (b - np.sqrt(np.maximum(discriminant, 0))) / a
    normals = (depth * ray - c[:, None, None]) / radius
    assert 100 < hit.sum() < 600
    assert np.array_equal(labels["semseg"][0].numpy() == SEMSEG_CLASSES.index("thing"), hit)
    # Float32 at some metres: 5e-7 m a rounding; near the silhouette the root magnifies it a hundredfold.
    assert np.abs(labels["depth"][0, 0].numpy() - depth)[hit].max() < 1e-4
    assert np.abs(labels["normals"][0].numpy() - normals)[:, hit].max() < 1e-4


def test_the_ground_has_its_depth_up_to_where_the_world_ends():
    _, _, labels = see([Scene(CAMERA, SUN, OPEN, [], 0)], 90, 90)
    _, y = pixel_grid(90, 90)
    depth = np.where(y > 0, 1.5 / np.maximum(y, 1e-9), np.inf)
    expected = np.where(depth < 60, depth, 0)
    np.testing.assert_allclose(labels["depth"][0, 0].numpy(), expected, rtol=1e-6)
    up = np.where(expected > 0, -1, 0)
    np.testing.assert_allclose(labels["normals"][0, 1].numpy(), up, atol=1e-6)


def test_a_wall_faced_squarely_has_the_normal_minus_z():
    room = Shell((-2.0, -2.0, 0.0), (2.0, 3.0, 2.5), GREY, GREY, GREY, "floor")
    _, _, labels = see([Scene(CAMERA, SUN, room, [], 0)], 9, 9)
    assert labels["semseg"][0, 4, 4] == SEMSEG_CLASSES.index("wall")
    assert labels["depth"][0, 0, 4, 4] == pytest.approx(3.0)
    # The camera's axes come from sines and cosines, rounded to float32.
    torch.testing.assert_close(labels["normals"][0, :, 4, 4], torch.tensor([0.0, 0.0, -1.0]), atol=1e-6, rtol=0)
    # The wall to the right faces left.
    torch.testing.assert_close(labels["normals"][0, :, 4, 8], torch.tensor([-1.0, 0.0, 0.0]), atol=1e-6, rtol=0)


def test_culling_changes_nothing(monkeypatch):
    scenes = random_scenes(6)
    table, view, _ = see(scenes, 30, 34)
    lit = reached(table, view)
    tested = []
    touching = cast._touching

    def everything(directions, to_centre, radius):
        all_of_them = (radius.t() >= 0).unsqueeze(-1).expand(-1, -1, directions.shape[2]).nonzero(as_tuple=True)
        tested.append(len(touching(directions, to_centre, radius)[0]) / len(all_of_them[0]))
        return all_of_them

    monkeypatch.setattr(cast, "_touching", everything)
    again = look(table, 30, 34)
    for name in ("depth", "surface", "normal", "numbers"):
        assert torch.equal(getattr(view, name), getattr(again, name)), name
    assert torch.equal(lit, reached(table, again))
    assert len(tested) == 2
    assert max(tested) < 0.2  # it did cull
    away = ((view.point - table.light[view.scene].t()) * view.normal).sum(0) > 0
    assert not lit[away].any()
    assert 0.2 < lit.mean() < 0.95


def test_shadows_lie_opposite_the_light():
    """A 2 m cube half a metre in the air under the sun at the zenith shades the ground below it and nothing else."""
    cube = Thing("thing", [box((0, 0, 0), (1.0, 1.0, 1.0), GREY)], 1.0)
    scene = Scene(CAMERA, SUN._replace(position=(0.0, 6.0, 100.0)), OPEN, [Placed(cube, (0.0, 6.0, 1.5))], 0)
    table, view, labels = see([scene], 64, 64)
    lit = view.frame.image(reached(table, view))[0]
    point = view.frame.image(view.point)[:, 0]
    ground = labels["semseg"][0] == SEMSEG_CLASSES.index("ground")
    # The light is 100 m up, so the upper rim, at 2.5 m, casts the shadow's outline.
    half = 1.0 * 100 / 97.5
    away = torch.maximum(point[0].abs(), (point[1] - 6).abs())
    assert (lit[ground & (away > half + 1e-3)] == 1).all()
    assert (lit[ground & (away < half - 1e-3)] == 0).all()
    assert int((ground & (away < half)).sum()) > 10


def test_every_kind_class_and_part_appears():
    seen_kinds, seen_classes, seen_parts = set(), set(), set()
    for start in range(0, 96, 32):
        _, view, labels = see([compose(random.Random(start + i), 0.5, (4, 9)) for i in range(32)], 48, 48)
        seen_kinds |= set(view.numbers[0].unique().tolist())
        seen_classes |= set(labels["semseg"].unique().tolist())
        seen_parts |= set(labels["parts"].unique().tolist())
    assert seen_kinds == set(range(len(KINDS)))
    assert seen_classes == set(range(len(SEMSEG_CLASSES)))
    assert seen_parts == set(range(len(PARTS)))
