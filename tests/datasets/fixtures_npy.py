"""NYUv2 and Cityscapes as MTAN published them, in small: root/{train,val}/{image,label,depth,normal}/<i>.npy."""

from pathlib import Path

import numpy as np

Arrays = dict[str, np.ndarray]
"""By path below the root, what was written."""


def write_nyuv2(
    root: Path, *, num_train: int = 12, num_val: int = 3, size: tuple[int, int] = (6, 9), seed: int = 0
) -> Arrays:
    """13 classes with both marks of what is ignored, depths with holes, normals that are missing in places."""
    rng = np.random.default_rng(seed)
    written: Arrays = {}
    for half, number in (("train", num_train), ("val", num_val)):
        for i in range(number):
            label = rng.integers(-1, 13, size).astype(np.float32)
            label[0, 0], label[0, 1] = -1, 255
            depth = rng.uniform(0.5, 9, (*size, 1)).astype(np.float32)
            depth[rng.random(size) < 0.2] = 0
            normal = rng.normal(size=(*size, 3))
            normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
            normal[rng.random(size) < 0.2] = 0
            written |= {
                f"{half}/image/{i}.npy": rng.random((*size, 3)),
                f"{half}/label/{i}.npy": label,
                f"{half}/depth/{i}.npy": depth,
                f"{half}/normal/{i}.npy": normal.astype(np.float32),
            }
    return _write(root, written)


def write_cityscapes(
    root: Path,
    *,
    num_train: int = 12,
    num_val: int = 3,
    size: tuple[int, int] = (6, 12),
    seed: int = 0,
    coarse: str = "label",
) -> Arrays:
    """7 classes in the folder ``coarse`` and 19 in ``label_19``, and inverse depths with holes."""
    rng = np.random.default_rng(seed)
    written: Arrays = {}
    for half, number in (("train", num_train), ("val", num_val)):
        for i in range(number):
            depth = rng.uniform(0, 0.5, (*size, 1)).astype(np.float32)
            depth[rng.random(size) < 0.2] = 0
            written |= {
                f"{half}/image/{i}.npy": rng.random((*size, 3)).astype(np.float32),
                f"{half}/{coarse}/{i}.npy": rng.integers(-1, 7, size),
                f"{half}/label_19/{i}.npy": rng.integers(-1, 19, size).astype(np.int16),
                f"{half}/depth/{i}.npy": depth,
            }
    return _write(root, written)


def _write(root: Path, arrays: Arrays) -> Arrays:
    for name, array in arrays.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, array)
    return arrays
