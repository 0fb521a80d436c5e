"""Taskonomy in small: AdaShare's lists, and the two layouts of its downloads."""

import json
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

COLUMNS = ("rgb", "segment_semantic", "normal", "depth_zbuffer", "keypoints2d", "edge_texture")
BUILDINGS = {"train": ("hanson", "merom", "klickitat"), "val": ("darden",), "test": ("ihlen",)}

Arrays = dict[str, np.ndarray]
"""By path below the root, what was written."""


def write_lists(
    root: Path, *, num_train: int = 12, num_test: int = 3, size: tuple[int, int] = (8, 8), below_halves: bool = False
) -> Arrays:
    """``{train,test}/<scene>/<domain>/*.png`` and taskonomy.json, whose paths begin with the scene if AutoMTL's."""
    rng = np.random.default_rng(0)
    written: Arrays = {}
    lists: dict[str, list[list[str]]] = {"train": [], "test": []}
    for half, number in (("train", num_train), ("test", num_test)):
        for i in range(number):
            arrays = _arrays(size, rng)
            row = [f"{half}/scene{half}{i % 2}/{d}/point_{i}_view_0_domain_{_written(d)}.png" for d in COLUMNS]
            _save(root, dict(zip(row, arrays, strict=True)), written)
            lists[half].append([name.removeprefix(f"{half}/") if below_halves else name for name in row])
    train = lists["train"]
    lists |= {"train1": train[: num_train // 2], "train2": train[num_train // 2 :]}
    (root / "taskonomy.json").write_text(json.dumps(lists))
    return written


def write_buildings(
    root: Path,
    layout: Literal["by building", "by domain"] = "by building",
    *,
    views: int = 4,
    size: tuple[int, int] = (8, 8),
    line_end: str = "\n",
) -> Arrays:
    """The buildings of `BUILDINGS`, and a table that also lists one that is not in the folder."""
    rng = np.random.default_rng(0)
    written: Arrays = {}
    lines = ["id,train,val,test"]
    for half, names in BUILDINGS.items():
        marks = ",".join("1" if half == column else "0" for column in BUILDINGS)
        lines += [f"{name},{marks}" for name in names]
        for name in names:
            for view in range(views):
                stem = f"point_{view // 2}_view_{view % 2}"
                paths = [
                    (f"{name}/{d}" if layout == "by building" else f"{d}/taskonomy/{name}")
                    + f"/{stem}_domain_{_written(d)}.png"
                    for d in COLUMNS
                ]
                _save(root, dict(zip(paths, _arrays(size, rng), strict=True)), written)
    lines.append("woodbine,1,0,0")
    (root / "train_val_test_tiny.csv").write_bytes((line_end.join(lines) + 2 * line_end).encode())
    return written


def _written(domain: str) -> str:
    return domain.replace("segment_semantic", "segmentsemantic")


def _arrays(size: tuple[int, int], rng: np.random.Generator) -> list[np.ndarray]:
    """In the order of `COLUMNS`, with the borders of every decoding in the first pixels."""
    segments = rng.integers(0, 18, size).astype(np.uint8)
    segments[0, :3] = (0, 1, 17)
    vectors = rng.normal(size=(*size, 3))
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    depth = rng.integers(200, 40_000, size).astype(np.uint16)
    depth[0, :5] = (0, 64_499, 64_500, 65_535, 32_768)
    keypoints = rng.integers(0, 600, size).astype(np.uint16)
    keypoints[0, :4] = (0, 327, 328, 65_535)
    edges = rng.integers(0, 9_000, size).astype(np.uint16)
    edges[0, :4] = (0, 5_242, 5_243, 65_535)
    return [
        rng.integers(0, 256, (*size, 3)).astype(np.uint8),
        segments,
        np.round((vectors + 1) * 255 / 2).astype(np.uint8),
        depth,
        keypoints,
        edges,
    ]


def _save(root: Path, arrays: Arrays, written: Arrays) -> None:
    for name, array in arrays.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path)
        written[name] = array
