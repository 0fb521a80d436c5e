"""The labels agree with one another and with their definitions."""

import math
import random

import pytest
import torch

from nas.datasets.scenes import PARTS, SEMSEG_CLASSES
from nas.datasets.scenes.classes import FOREGROUND_CLASSES
from nas.datasets.scenes.labels import exact_labels
from nas.datasets.scenes.layout import compose
from nas.datasets.scenes.scene import Camera, Light, Scene, Shell
from nas.datasets.scenes.solids import Material, Placed, Thing, ball, box
from nas.datasets.scenes.table import pack
from nas.datasets.scenes.view import FAR, look

CPU = torch.device("cpu")
GREY = Material((0.5, 0.5, 0.5))
SUN = Light((0.0, 0.0, 100.0), (1.0, 1.0, 1.0), 1.0, 0.0, (0.3, 0.3, 0.3), (0.1, 0.1, 0.1), 0.0)
OPEN = Shell((-math.inf, -math.inf, 0.0), (math.inf, math.inf, math.inf), GREY, GREY, GREY, "ground")
CAMERA = Camera((0.0, 0.0, 1.5), math.pi / 2, 0.0, 1.0)


@pytest.fixture(scope="module")
def rendered():
    scenes = [compose(random.Random(f"labels/{i}"), 0.5, (4, 9)) for i in range(24)]
    table = pack(scenes, CPU)
    view = look(table, 96, 96)
    return table, view, exact_labels(table, view)


def class_mask(labels, *names):
    return sum(labels["semseg"] == SEMSEG_CLASSES.index(name) for name in names) > 0


def points(table, depth):
    """Back-projected points in the camera's frame, [B, 3, H, W]."""
    _, _, height, width = depth.shape
    scale = table.half_width[:, None, None] * (2 / width)
    x = (torch.arange(width) + 0.5 - width / 2) * scale
    y = (torch.arange(height)[:, None] + 0.5 - height / 2) * scale
    return (
        torch.stack([x.expand(-1, height, width), y.expand(-1, height, width), torch.ones(depth[:, 0].shape)], 1)
        * depth
    )


def neighbours(x, axis):
    """Views of the pixels that have a next one along the axis, and of those next ones."""
    return x.narrow(axis, 0, x.shape[axis] - 1), x.narrow(axis, 1, x.shape[axis] - 1)


def test_formats(rendered):
    _, _, labels = rendered
    shapes = {task: tuple(label.shape[1:]) for task, label in labels.items()}
    plane, map_, vectors = (96, 96), (1, 96, 96), (3, 96, 96)
    assert shapes == {"semseg": plane, "parts": plane, "depth": map_, "normals": vectors, "edge": map_, "sal": map_}
    assert labels["semseg"].dtype == labels["parts"].dtype == torch.int64
    assert 0 <= int(labels["semseg"].min()) <= int(labels["semseg"].max()) < len(SEMSEG_CLASSES)
    assert 0 <= int(labels["parts"].min()) <= int(labels["parts"].max()) < len(PARTS)
    assert set(labels["edge"].unique().tolist()) == set(labels["sal"].unique().tolist()) == {0.0, 1.0}


def test_the_sky_and_only_the_sky_has_no_depth_and_no_normal(rendered):
    _, _, labels = rendered
    sky = class_mask(labels, "sky")
    assert torch.equal(labels["depth"][:, 0] == 0, sky)
    assert torch.equal((labels["normals"] == 0).all(1), sky)
    assert labels["depth"].max() < FAR
    length = labels["normals"].norm(dim=1)[~sky]
    assert (length - 1).abs().max() < 1e-5  # float32


def test_normals_face_the_camera(rendered):
    table, _, labels = rendered
    facing = (points(table, labels["depth"]) * labels["normals"]).sum(1)
    # At a silhouette the normal is square to the ray, to within the rounding of a hit seen from afar.
    assert (facing <= 2e-3 * labels["depth"][:, 0]).all()


def test_normals_agree_with_the_slope_of_the_depth(rendered):
    """The cross product of the central differences of the back-projected points, where a 3x3 window has one surface.

    On planes it is the normal itself, up to float32: neighbours are 1 % of the depth apart, depths are exact to 1e-6.
    On curved surfaces a pixel spans some degrees, so there only the bulk can agree.
    """
    table, view, labels = rendered
    p = points(table, labels["depth"])
    across, down = p[..., 1:-1, 2:] - p[..., 1:-1, :-2], p[..., 2:, 1:-1] - p[..., :-2, 1:-1]
    slope = torch.nn.functional.normalize(torch.linalg.cross(down, across, dim=1), dim=1)
    angle = torch.rad2deg(torch.acos((slope * labels["normals"][..., 1:-1, 1:-1]).sum(1).clamp(-1, 1)))
    surface = torch.where(view.sky, -1, view.surface)
    surface = view.frame.image(surface)
    windows = surface.unfold(1, 3, 1).unfold(2, 3, 1).flatten(-2)
    same = (windows == windows[..., :1]).all(-1) & (windows[..., 0] >= 0)
    kind = view.frame.image(view.numbers[0])[:, 1:-1, 1:-1]
    flat = (kind == 0) | (kind == 2)
    assert int((same & flat).sum()) > 50_000
    assert angle[same & flat].max() < 0.5
    curved = angle[same & ~flat]
    assert len(curved) > 5_000
    assert curved.median() < 3
    assert curved.quantile(0.9) < 15


def test_edges_lie_exactly_where_something_is_discontinuous(rendered):
    table, view, labels = rendered
    owner = torch.where(view.sky, -1, view.numbers[1])
    owner, surface, normal = view.frame.image(owner), view.frame.image(view.surface), labels["normals"]
    p, edge = points(table, labels["depth"]), labels["edge"][:, 0] > 0
    explained = torch.zeros_like(edge)
    for axis in (-1, -2):
        (owner_a, owner_b), (surface_a, surface_b) = neighbours(owner, axis), neighbours(surface, axis)
        (normal_a, normal_b), (p_a, p_b) = neighbours(normal, axis), neighbours(p, axis)
        other = owner_a != owner_b
        bend = torch.rad2deg(torch.acos((normal_a * normal_b).sum(1).clamp(-1, 1)))
        jump = (p_b - p_a).norm(dim=1) / torch.minimum(p_a[:, 2], p_b[:, 2]).clamp_min(1e-6)
        # Every contact and occlusion of two objects is an edge, and so is every sharp bend between smooth surfaces.
        here = neighbours(edge, axis)[0]
        assert here[other].all()
        assert here[(surface_a != surface_b) & (bend > 31) & (owner_a >= 0)].all()
        neighbours(explained, axis)[0].logical_or_(other | (bend > 29) | (jump > 0.02))
    assert not (edge & ~explained).any()
    assert 0.03 < edge.float().mean() < 0.3


def test_a_box_has_its_outline_and_its_creases_as_edges():
    """A cube seen corner on: left and right of the crease in the middle the faces are free of edges."""
    cube = Thing("thing", [box((0, 0, 0), (1.0, 1.0, 1.0), GREY)], 1.0)
    scene = Scene(CAMERA, SUN, OPEN, [Placed(cube, (0.0, 5.0, 1.5), math.pi / 4)], 0)
    table = pack([scene], CPU)
    view = look(table, 61, 61)
    labels = exact_labels(table, view)
    # A row above the horizon, with the sky on either side of the cube.
    row = labels["edge"][0, 0, 27]
    on_cube = (labels["semseg"][0, 27] == SEMSEG_CLASSES.index("thing")).nonzero().flatten()
    first, last = int(on_cube[0]), int(on_cube[-1])
    # The pixel before the outline, the last pixel within it, and the crease, which is at x = 0: between 29 and 31.
    found = row.nonzero().flatten().tolist()
    assert found[0] == first - 1
    assert found[-1] == last
    assert len(found) == 3
    assert found[1] in (29, 30)


def test_saliency_is_the_most_prominent_object_and_a_rival():
    def scene(*balls):
        placed = [Placed(Thing("thing", [ball((0, 0, 0), radius, GREY)], 1.0), (x, 5.0, 1.5)) for x, radius in balls]
        return Scene(CAMERA, SUN, OPEN, placed, 0)

    scenes = [
        scene((0.0, 1.0), (3.0, 0.4)),  # one large, one small
        scene((-1.5, 0.8), (1.5, 0.8)),  # equals
        scene((-1.5, 0.8), (1.5, 0.8), (0.0, 0.3)),  # equals and a small one
        scene((0.0, 0.25)),  # some pixels, but below half a percent of the picture
        scene(),
    ]
    table = pack(scenes, CPU)
    view = look(table, 64, 64)
    salient = exact_labels(table, view)["sal"][:, 0] > 0
    owner = view.frame.image(torch.where(view.sky, 0, view.numbers[1]))
    assert int((owner[3] == 1).sum()) > 3
    expected = ({1}, {1, 2}, {1, 2}, set(), set())
    for found, ids, wanted in zip(salient, owner, expected, strict=True):
        assert torch.equal(found, torch.isin(ids, torch.tensor(sorted(wanted))))


def test_only_foreground_objects_are_salient(rendered):
    _, _, labels = rendered
    salient = labels["sal"][:, 0] > 0
    assert not (salient & ~class_mask(labels, *FOREGROUND_CLASSES)).any()
    assert salient.flatten(1).any(1).float().mean() > 0.9


def test_what_lies_flat_shows_its_top_only(rendered):
    _, view, labels = rendered
    up = view.frame.image(view.normal)[2]
    flat = class_mask(labels, "ground", "road", "floor")
    assert int(class_mask(labels, "road").sum()) > 1000
    # A frame turned by a rounded sine and cosine is upright to 1e-7.
    assert (up[flat] > 1 - 1e-6).float().mean() > 0.9999


def test_parts_belong_to_their_objects(rendered):
    _, _, labels = rendered
    belongs = {
        "person": {"head", "torso", "upper_arm", "lower_arm", "upper_leg", "lower_leg"},
        "table": {"top", "support"},
        "chair": {"top", "back", "support"},
        "lamp": {"shade", "support"},
        "tree": {"trunk", "crown"},
        "car": {"body", "cabin", "wheel"},
        "house": {"walls", "roof", "opening"},
    }
    for name in SEMSEG_CLASSES:
        found = {PARTS[i] for i in labels["parts"][class_mask(labels, name)].unique().tolist()}
        assert found <= belongs.get(name, {"background"}), name


def test_an_object_that_occludes_itself_has_an_edge_there():
    """A plate before a board, both facing the camera, is outlined; a plate flush with the board is not."""
    board = box((0, 0, 0), (1.0, 0.1, 1.0), GREY)
    things = [Thing("thing", [board, box((0, y, 0), (0.2, 0.01, 0.2), GREY)], 1.0) for y in (-0.6, -0.0901)]
    scenes = [Scene(CAMERA, SUN, OPEN, [Placed(thing, (0.0, 3.0, 1.5))], 0) for thing in things]
    table = pack(scenes, CPU)
    view = look(table, 96, 96)
    edge = exact_labels(table, view)["edge"][:, 0] > 0
    # The front of the plate is 2.39 m away: its right rim is at a slope of .2 / 2.39, of 48 pixels per unit.
    last = math.floor(48 + 48 * 0.2 / 2.39 - 0.5)
    assert edge[0, 44:52, last].all()
    assert not edge[1, 40:56, 40:56].any()
