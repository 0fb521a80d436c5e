"""NYUD_MT in small, in the form of either release."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from scipy.io import savemat

SIZE = (24, 40)


@dataclass
class Written:
    """What was written for an id; ``normals`` are bytes in the first release, and numbers in the second."""

    semseg: np.ndarray
    depth: np.ndarray
    normals: np.ndarray
    edge: np.ndarray


def write_nyud(
    root: Path,
    release: Literal["first", "second"] = "first",
    *,
    num_train: int = 12,
    num_val: int = 3,
    size: tuple[int, int] = SIZE,
    seed: int = 0,
) -> dict[str, Written]:
    """40 classes with 0 for none, depths with holes, and normals that are missing in places: grey, white or zero."""
    rng = np.random.default_rng(seed)
    ids = {"train": [f"{i:04d}" for i in range(num_train)], "val": [f"{i:04d}" for i in range(500, 500 + num_val)]}
    for folder in ("images", "edge", "segmentation", "normals", "depth", "gt_sets"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    written = {}
    for half, names in ids.items():
        # The lists end in a blank line.
        (root / "gt_sets" / f"{half}.txt").write_text("\n".join(names) + "\n\n")
        for name in names:
            written[name] = _write_sample(root, name, release, size, rng)
    return written


def _write_sample(root: Path, name: str, release: str, size: tuple[int, int], rng: np.random.Generator) -> Written:
    height, width = size
    blocks = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3))
    picture = np.kron(blocks, np.ones((8, 8, 1)))[:height, :width].astype(np.uint8)
    Image.fromarray(picture).save(root / "images" / f"{name}.jpg", quality=95)
    semseg = rng.integers(0, 41, size).astype(np.uint8)
    semseg[0, :2] = (0, 40)
    depth = rng.uniform(0.7, 9.5, size).astype(np.float32)
    depth[rng.random(size) < 0.2] = 0
    depth[0, 0] = 0
    vectors = rng.normal(size=(height // 8 + 1, width // 8 + 1, 3))
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    vectors = np.kron(vectors, np.ones((8, 8, 1)))[:height, :width]
    edge = np.where(rng.random(size) < 0.2, 255, 0).astype(np.uint8)
    edge[0, :3] = (0, 51, 255)
    if release == "first":
        normals = np.round((vectors + 1) * 255 / 2).astype(np.uint8)
        normals[:8, :8], normals[8:16, :8] = 128, 255
        Image.fromarray(normals).save(root / "normals" / f"{name}.jpg", quality=95, subsampling=0)
        savemat(root / "segmentation" / f"{name}.mat", {"segmentation": semseg})
        savemat(root / "depth" / f"{name}.mat", {"depth": depth})
        Image.fromarray(edge).save(root / "edge" / f"{name}.png")
    else:
        normals = vectors.astype(np.float32)
        normals[:8, :8], normals[8:16, :8] = 0, np.nan
        np.save(root / "normals" / f"{name}.npy", normals)
        Image.fromarray(semseg).save(root / "segmentation" / f"{name}.png")
        np.save(root / "depth" / f"{name}.npy", depth)
        np.save(root / "edge" / f"{name}.npy", edge.astype(np.float32) / 255)
    return Written(semseg, depth, normals, edge)
