"""NYUv2 as AdaShare has it, in small: pictures, and a JSON file of rows."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

Arrays = dict[str, np.ndarray]
"""By path below the root, what was written."""


def write_nyuv2_pictures(
    root: Path, *, num_train: int = 12, num_test: int = 3, size: tuple[int, int] = (6, 9), halves: bool = True
) -> Arrays:
    """40 classes from 0 with 255 for none, depths with holes, and normals; a quarter of the normals is missing."""
    rng = np.random.default_rng(0)
    written: Arrays = {}
    rows = []
    for i in range(num_train + num_test):
        seg = rng.integers(0, 40, size).astype(np.uint8)
        seg[0, :3] = (0, 39, 255)
        normal = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
        normal[rng.random(size) < 0.25] = 255
        depth = rng.uniform(0.5, 9, size).astype(np.float32)
        depth[rng.random(size) < 0.2] = 0
        row = [f"img/{i:04d}.png", f"seg/{i:04d}.png", f"normal_mask/{i:04d}.png", f"depth/{i:04d}.npy"]
        image = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
        written |= dict(zip(row, (image, seg, normal, depth), strict=True))
        rows.append(row)
    for name, array in written.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".npy":
            np.save(path, array)
        else:
            Image.fromarray(array).save(path)
    train, test = rows[:num_train], rows[num_train:]
    lists = {"train": train, "test": test}
    if halves:
        lists |= {"train1": train[: num_train // 2], "train2": train[num_train // 2 :]}
    (root / "nyu_v2_3task.json").write_text(json.dumps(lists))
    return written
