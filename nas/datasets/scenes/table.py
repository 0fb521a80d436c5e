"""Scenes packed into tensors: one row per primitive, padded to the longest scene of the batch, sorted by kind."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nas.datasets.scenes.classes import PARTS, SEMSEG_CLASSES
from nas.datasets.scenes.scene import Scene
from nas.datasets.scenes.solids import KINDS, PATTERNS, Kind, Material, Solid

FLOOR, WALL, CEILING, SKY = 0, 1, 2, 3
"""The first rows of every scene: the planes of its shell, and what is seen where nothing is hit."""

# Columns of the rows as they are gathered per pixel.
_GEOMETRY = 16  # world-to-object matrix (9), centre (3), size (3), shape (1)
_MATERIAL = 10  # colour (3), second (3), period, grain, emission, gloss
_NUMBERS = 5  # kind, object, semantic, part, pattern


Array = npt.NDArray[Any]


class Table(NamedTuple):
    """B scenes of P primitives each.

    values [B, P, 26] are geometry and material; numbers [B, P, 5] are kind, object, class, part and pattern. Object 0
    is the shell and the sky. radius [B, P] is that of the bounding sphere, negative for padding and planes. spans is,
    by kind, the first of its primitives and one past the last.

    Per scene: camera origin [B, 3], axes [B, 3, 3] (rows right, down, forward) and half width [B]; the shell's corners
    lower and upper [B, 3]; position of the light [B, 3]; lighting [B, 19], the colours and strengths of light and sky;
    seed [B].
    """

    values: Tensor
    numbers: Tensor
    radius: Tensor
    spans: dict[Kind, tuple[int, int]]
    origin: Tensor
    axes: Tensor
    half_width: Tensor
    lower: Tensor
    upper: Tensor
    light: Tensor
    lighting: Tensor
    seed: Tensor

    @property
    def matrix(self) -> Tensor:
        """From world to object space, [B, P, 3, 3]: p = matrix (world point - centre)."""
        return self.values[..., :9].reshape(*self.values.shape[:2], 3, 3)

    @property
    def centre(self) -> Tensor:
        return self.values[..., 9:12]

    @property
    def shape(self) -> Tensor:
        return self.values[..., 15]


class _Rows(NamedTuple):
    values: Array
    numbers: Array
    radius: Array


def pack(scenes: Sequence[Scene], device: torch.device) -> Table:
    """The table of the scenes, on the device."""
    rows = [_rows(scene) for scene in scenes]
    spans: dict[Kind, tuple[int, int]] = {}
    stop = 0
    for number, kind in enumerate(KINDS):
        longest = max(int((row.numbers[:, 0] == number).sum()) for row in rows)
        spans[kind] = (stop, stop + longest)
        stop += longest
    values = np.zeros((len(rows), stop, _GEOMETRY + _MATERIAL), np.float32)
    numbers = np.zeros((len(rows), stop, _NUMBERS), np.int64)
    radius = np.full((len(rows), stop), -1, np.float32)
    for i, row in enumerate(rows):
        for number, kind in enumerate(KINDS):
            mine = row.numbers[:, 0] == number
            columns = slice(spans[kind][0], spans[kind][0] + int(mine.sum()))
            values[i, columns], numbers[i, columns] = row.values[mine], row.numbers[mine]
            radius[i, columns] = row.radius[mine]

    def floats(vectors: Sequence[Sequence[float] | float]) -> Tensor:
        return torch.tensor(vectors, dtype=torch.float32, device=device)

    return Table(
        torch.from_numpy(values).to(device),
        torch.from_numpy(numbers).to(device),
        torch.from_numpy(radius).to(device),
        spans,
        floats([scene.camera.position for scene in scenes]),
        torch.tensor([scene.camera.axes() for scene in scenes], dtype=torch.float32, device=device),
        floats([scene.camera.half_width for scene in scenes]),
        floats([scene.shell.lower for scene in scenes]),
        floats([scene.shell.upper for scene in scenes]),
        floats([scene.light.position for scene in scenes]),
        floats([_lighting(scene) for scene in scenes]),
        torch.tensor([scene.seed for scene in scenes], dtype=torch.int32, device=device),
    )


def _lighting(scene: Scene) -> list[float]:
    light, shell = scene.light, scene.shell
    strengths = (light.strength, light.falloff, light.fill, shell.clouds, shell.haze)
    return [*light.colour, *light.above, *light.below, *shell.zenith, *shell.horizon, *strengths]


def _rows(scene: Scene) -> _Rows:
    """One row per plane of the shell, for the sky and per solid, posed in the world."""
    shell = scene.shell
    sky = Material((0.0, 0.0, 0.0))
    planes = [(shell.floor, shell.floor_class), (shell.wall, "wall"), (shell.ceiling, "ceiling"), (sky, "sky")]
    solids = [Solid("plane", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), material) for material, _ in planes]
    semantics = [SEMSEG_CLASSES.index(semantic) for _, semantic in planes]
    owners, yaws, shifts = [0] * len(planes), [0.0] * len(planes), [(0.0, 0.0, 0.0)] * len(planes)
    for number, placed in enumerate(scene.placed, start=1):
        count = len(placed.thing.solids)
        solids += placed.thing.solids
        semantics += [SEMSEG_CLASSES.index(placed.thing.semantic)] * count
        owners += [number] * count
        yaws += [placed.yaw] * count
        shifts += [placed.position] * count
    size = np.array([solid.size for solid in solids])
    shape = np.array([solid.shape for solid in solids])
    kind = np.array([KINDS.index(solid.kind) for solid in solids])
    turn = _about_vertical(np.array(yaws))
    rotation = turn @ _frames(np.array([solid.axis for solid in solids]))
    centre = (turn @ np.array([solid.centre for solid in solids])[:, :, None])[:, :, 0] + np.array(shifts)
    matrix = rotation.transpose(0, 2, 1) / size[:, :, None]
    materials = [solid.material for solid in solids]
    material = np.array([[*m.colour, *m.second, m.period, m.grain, m.emission, m.gloss] for m in materials])
    part = [PARTS.index(solid.part) for solid in solids]
    pattern = [PATTERNS.index(m.pattern) for m in materials]
    return _Rows(
        np.concatenate([matrix.reshape(-1, 9), centre, size, shape[:, None], material], axis=1),
        np.stack([kind, owners, semantics, part, pattern], axis=1),
        _bounding_radius(kind, size, shape),
    )


def _about_vertical(yaw: Array) -> Array:
    c, s, zero, one = np.cos(yaw), np.sin(yaw), np.zeros_like(yaw), np.ones_like(yaw)
    return np.stack([c, -s, zero, s, c, zero, zero, zero, one], axis=-1).reshape(-1, 3, 3)


def _frames(axis: Array) -> Array:
    """Rotations [P, 3, 3] whose third column is the axis, and whose first is level with y where that is possible."""
    x = np.stack([axis[:, 2], np.zeros(len(axis)), -axis[:, 0]], axis=-1)  # y cross axis
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    x = np.where(length < 1e-6, (1.0, 0.0, 0.0), x / np.maximum(length, 1e-6))
    return np.stack([x, np.cross(axis, x), axis], axis=-1)


def _bounding_radius(kind: Array, size: Array, shape: Array) -> Array:
    widest = size.max(axis=1)
    bound = {
        "plane": np.full(len(kind), -1.0),
        "sphere": widest,
        "box": np.linalg.norm(size, axis=1),
        "cylinder": np.hypot(size[:, :2].max(axis=1), size[:, 2]),
        "cone": np.hypot(size[:, :2].max(axis=1), size[:, 2]),
        "capsule": widest * (1 + shape),
    }
    return np.select([kind == number for number in range(len(KINDS))], [bound[name] for name in KINDS])
