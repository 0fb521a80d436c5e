"""PASCAL_MT in small, in exactly the form that ASTMT published, with everything in it that loaders trip over."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.io import savemat

from nas.data import Batch

PERSON, DOG = 15, 12
WALL, FLOOR, SKY, TREE, TVMONITOR, ROAD = 440, 158, 360, 420, 427, 324
INDOOR = (WALL, FLOOR, TVMONITOR)

WITH_PERSON = "2008_000002"
WITHOUT_PERSON = "2008_000003"
"""A dog, whose parts have the names of a person's."""
SMALL_PERSON = "2008_000007"
"""ImageSets/Parts has -1 for this one's person."""
WITHOUT_PARTS = "2008_000008"
"""A person, no parts of whom are annotated."""
EMPTY = "2008_000009"
"""No objects at all."""
ODD_ID = "2008_äöü 1"
"""A name that is not ASCII."""
FULL_SIZE = (21, 26)
SPECIAL = (WITH_PERSON, WITHOUT_PERSON, SMALL_PERSON, WITHOUT_PARTS, EMPTY, ODD_ID)


@dataclass
class Written:
    """What was written for an id; `parts` is None where a loader has to find no label."""

    semseg: np.ndarray
    parts: np.ndarray | None
    sal: np.ndarray
    normals: np.ndarray
    label_map: np.ndarray


Truth = dict[str, Written]
"""By id."""


def write_pascal(
    root: Path, *, num_train: int = 10, num_val: int = 4, size: tuple[int, int] = FULL_SIZE, seed: int = 0
) -> Truth:
    """Write the folder; the first training pictures are `SPECIAL`, the others have one person each."""
    rng = np.random.default_rng(seed)
    ids = {
        "train": [*SPECIAL, *(f"2009_{i:06d}" for i in range(len(SPECIAL), num_train))],
        "val": [f"2010_{i:06d}" for i in range(num_val)],
    }
    written, categories = {}, {}
    for half, names in ids.items():
        for i, name in enumerate(names):
            written[name], categories[name] = _write_sample(root, name, size, rng, voc=i % 2 == 0)
        _write(root / "ImageSets/Parts" / f"{half}.txt", json.dumps({name: categories[name] for name in names}))
    # One list ends in blank lines, the other has Windows' line ends.
    _write(root / "ImageSets/Context/train.txt", "\n".join(ids["train"]) + "\n\n  \n")
    _write(root / "ImageSets/Context/val.txt", "\r\n".join(ids["val"]))
    return written


def assert_same(batch: Batch, other: Batch) -> None:
    assert torch.equal(batch.inputs, other.inputs)
    assert batch.labels.keys() == other.labels.keys()
    for task, label in batch.labels.items():
        assert torch.equal(label, other.labels[task])
        assert torch.equal(batch.present[task], other.present[task])


def _write_sample(
    root: Path, name: str, size: tuple[int, int], rng: np.random.Generator, *, voc: bool
) -> tuple[Written, list[int]]:
    height, width = size
    pixels = np.kron(rng.integers(0, 256, (height // 7 + 1, width // 7 + 1, 3)), np.ones((7, 7, 1)))[:height, :width]
    _save(Image.fromarray(pixels.astype(np.uint8)), root / "JPEGImages" / f"{name}.jpg", quality=95)

    semseg = rng.integers(0, 21, size).astype(np.uint8)
    semseg[rng.random(size) < 0.1] = 255
    picture = Image.fromarray(semseg)
    if voc:
        picture.putpalette(rng.integers(0, 256, 768).astype(np.uint8).tobytes())
    _save(picture, root / "semseg" / ("VOC12" if voc else "pascal-context") / f"{name}.png")

    # Rectangles; 256 apart from 0, of which the low byte alone would see no edge.
    label_map = np.zeros(size, dtype=np.uint16)
    for value in (256, ROAD, WALL, FLOOR, SKY, TREE, TVMONITOR):
        top, left = rng.integers(0, height - 4), rng.integers(0, width - 4)
        label_map[top : top + height // 2, left : left + width // 2] = value
    _savemat(root / "pascal-context/trainval" / f"{name}.mat", {"LabelMap": label_map})

    normals = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    normals[rng.random(size) < 0.2] = 255
    _save(Image.fromarray(normals), root / "normals_distill" / f"{name}.png")

    sal = rng.integers(0, 256, size).astype(np.uint8)
    sal[0, :4] = (0, 127, 128, 255)
    _save(Image.fromarray(sal), root / "sal_distill" / f"{name}.png")

    objects, parts, categories = _people(name, size, rng)
    _savemat(root / "human_parts" / f"{name}.mat", {"anno": {"imname": name, "objects": objects}})
    return Written(semseg, parts, sal, normals, label_map), categories


def _people(name: str, size: tuple[int, int], rng: np.random.Generator) -> tuple[Any, np.ndarray | None, list[int]]:
    """Objects as PASCAL-Parts has them, the classes of their parts, and what ImageSets/Parts says of them."""
    if name == EMPTY:
        return np.zeros((0, 0)), None, []
    head, torso = _box(size, (0, 4), (2, 9)), _box(size, (3, 9), (1, 12))
    arm, leg, foot = _box(size, (4, 8), (8, 14)), _box(size, (8, 14), (3, 6)), _box(size, (13, 15), (3, 8))
    if name == WITHOUT_PERSON:
        return _array([("dog", DOG, head | torso, [("head", head), ("torso", torso)])]), None, [DOG]
    if name == WITHOUT_PARTS:
        return _array([("person", PERSON, torso, [])]), None, [PERSON]
    if name == SMALL_PERSON:
        return _array([("person", PERSON, head, [("head", head)])]), None, [-1]
    # Parts overlap, and the later one wins; a dog stands in front, whose parts are not a person's.
    objects = [
        ("person", PERSON, torso | leg, [("torso", torso), ("lebrow", head), ("luleg", leg), ("rfoot", foot)]),
        ("dog", DOG, foot, [("head", foot)]),
        ("person", PERSON, arm, [("ruarm", arm), ("rhand", arm & (rng.random(size) < 0.5))]),
    ]
    classes = np.zeros(size, dtype=np.uint8)
    for part, value in ((torso, 2), (head, 1), (leg, 5), (foot, 6), (arm, 3), (objects[2][3][1][1], 4)):
        classes[part] = value
    return _array(objects), classes, [PERSON, DOG, PERSON]


def _box(size: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
    box = np.zeros(size, dtype=bool)
    box[slice(*rows), slice(*columns)] = True
    return box


def _array(objects: list[tuple[str, int, np.ndarray, list[tuple[str, np.ndarray]]]]) -> np.ndarray:
    array = np.zeros((1, len(objects)), dtype=[(n, object) for n in ("class", "class_ind", "mask", "parts")])
    for i, (category, number, mask, parts) in enumerate(objects):
        stored: np.ndarray = np.zeros((0, 0))
        if parts:
            stored = np.zeros((1, len(parts)), dtype=[("part_name", object), ("mask", object)])
            for j, (part, part_mask) in enumerate(parts):
                stored[0, j] = (part, part_mask.astype(np.uint8))
        array[0, i] = (category, np.uint8(number), mask.astype(np.uint8), stored)
    return array


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def _save(picture: Image.Image, path: Path, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)


def _savemat(path: Path, variables: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, variables, do_compression=True, appendmat=False)
