"""Augmented labels still belong to one scene: the normals are those of the depth, seen by a camera that moved along."""

import math
import random

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from nas.data.augmentation import Augmentation, LabelKind, RandomCrop, RandomFlip, RandomScale, Step
from nas.data.batch import Sample
from nas.datasets.scenes.labels import exact_labels
from nas.datasets.scenes.layout import compose
from nas.datasets.scenes.table import pack
from nas.datasets.scenes.view import look

SIZE = 96
KINDS: dict[str, LabelKind] = {"depth": "depth", "normals": "normals", "plane": "classes", "column": "values"}
SCALES = {0.5: 1, 0.75: 3, 1.25: 5, 1.5: 3, 2.0: 2}
"""By scale, how many pixels later the nearest pixel lies in the same way beside its point."""


@pytest.fixture(scope="module")
def views() -> list[tuple[Sample, float]]:
    """Rendered scenes, each with the tangent that one pixel spans. "plane" numbers the flat surfaces from 0."""
    scenes = [compose(random.Random(f"augmentation/{i}"), 0.5, (4, 9)) for i in range(6)]
    table = pack(scenes, torch.device("cpu"))
    view = look(table, SIZE, SIZE)
    labels = exact_labels(table, view)
    kind = view.frame.image(view.numbers[0])
    flat = ((kind == 0) | (kind == 2)) & ~view.frame.image(view.sky)
    planes = torch.where(flat, view.frame.image(view.surface), 255)
    columns = (torch.arange(float(SIZE)) + 0.5).expand(1, SIZE, SIZE)
    return [
        (
            (torch.zeros(3, SIZE, SIZE), {"depth": depth, "normals": normals, "plane": plane, "column": columns}),
            2 * half_width.item() / SIZE,
        )
        for depth, normals, plane, half_width in zip(
            labels["depth"], labels["normals"], planes, table.half_width, strict=True
        )
    ]


def _augmented(sample: Sample, *steps: Step, seed: int = 0) -> dict[str, Tensor]:
    return dict(Augmentation(steps, KINDS)(sample, random.Random(seed))[1])


def _angles(labels: dict[str, Tensor], tangent: float, centre: tuple[float, float], reach: int) -> Tensor:
    """Degrees between the labelled normals and those of the depth, wherever a window lies on one plane.

    The depth's normal is the cross product of differences between back-projected pixels ``reach`` to either side.
    """
    depth, plane = labels["depth"][0], labels["plane"]
    height, width = depth.shape
    x = (torch.arange(width) + 0.5 - centre[1]) * tangent * depth
    y = (torch.arange(height)[:, None] + 0.5 - centre[0]) * tangent * depth
    points = torch.stack([x, y, depth])
    inner = (slice(reach, -reach), slice(reach, -reach))
    across = points[:, reach:-reach, 2 * reach :] - points[:, reach:-reach, : -2 * reach]
    down = points[:, 2 * reach :, reach:-reach] - points[:, : -2 * reach, reach:-reach]
    found = normalize(torch.linalg.cross(down, across, dim=0), dim=0)
    labelled = labels["normals"][:, *inner]
    window = plane.unfold(0, 2 * reach + 1, 1).unfold(1, 2 * reach + 1, 1).flatten(-2)
    same = (window == window[..., :1]).all(-1) & (window[..., 0] != 255)
    difference, total = (found - labelled).norm(dim=0), (found + labelled).norm(dim=0)
    return torch.rad2deg(2 * torch.atan2(difference, total))[same]


# Depths are exact to 1e-6, neighbours about 1 % of the depth apart (see tests/datasets/scenes/test_labels.py).
ROUNDING = 0.5


def test_the_normals_of_a_flipped_scene_are_those_of_its_depth(views: list[tuple[Sample, float]]) -> None:
    flip = RandomFlip(probability=1.0)
    centre = (SIZE / 2, SIZE / 2)
    for sample, tangent in views:
        angles = _angles(_augmented(sample, flip), tangent, centre, 1)
        assert len(angles) > 1000
        assert angles.max() < ROUNDING
    # The control: it can fail. Walls that are seen askance turn by tens of degrees if x keeps its sign.
    askance = []
    for (image, labels), tangent in views:
        kept = _augmented((image, labels), flip) | {"normals": labels["normals"].flip(-1)}
        askance.append(_angles(kept, tangent, centre, 1))
    assert (torch.cat(askance) > 20).float().mean() > 0.1


@pytest.mark.parametrize("scale", SCALES)
def test_the_normals_of_a_scaled_scene_are_those_of_its_depth(views: list[tuple[Sample, float]], scale: float) -> None:
    for sample, tangent in views:
        labels = _augmented(sample, RandomScale((scale,)), RandomFlip(probability=1.0))
        angles = _angles(labels, tangent / scale, (SIZE * scale / 2, SIZE * scale / 2), SCALES[scale])
        assert len(angles) > 500
        # The nearest pixel is up to half a pixel off, along both axes, which shears a plane by as much.
        assert angles.max() < ROUNDING + math.degrees(math.sqrt(2) * 0.5 * tangent)


def test_the_normals_of_a_window_are_those_of_its_depth(views: list[tuple[Sample, float]]) -> None:
    for sample, tangent in views:
        labels = _augmented(sample, RandomCrop((SIZE, 60)), RandomFlip(probability=1.0), seed=3)
        left = labels["column"][0, 0, -1].item() - 0.5
        angles = _angles(labels, tangent, (SIZE / 2, 60 - (SIZE / 2 - left)), 1)
        assert len(angles) > 500
        assert angles.max() < ROUNDING
