"""CelebA in small: the two lists in exactly the form of the download, and pictures of its size."""

from pathlib import Path

import numpy as np
from PIL import Image

from nas.datasets.celeba import ATTRIBUTES


def write_celeba(
    root: Path, *, num_train: int = 10, num_val: int = 3, num_test: int = 3, size: tuple[int, int] = (218, 178)
) -> dict[str, np.ndarray]:
    """Returns, by picture, 1 or -1 for each attribute; both values of each are in every partition."""
    rng = np.random.default_rng(0)
    partitions = [0] * num_train + [1] * num_val + [2] * num_test
    names = [f"{i:06d}.jpg" for i in range(1, len(partitions) + 1)]
    values = rng.choice((-1, 1), (len(names), len(ATTRIBUTES)))
    for partition in range(3):
        first, second = np.flatnonzero(np.array(partitions) == partition)[:2]
        values[second] = -values[first]
    for folder in ("Anno", "Eval", "Img/img_align_celeba"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    # The file pads values to two characters, and ends its second line with a blank.
    lines = [str(len(names)), " ".join(ATTRIBUTES) + " "]
    lines += [f"{name} {' '.join(f'{value:2d}' for value in row)}" for name, row in zip(names, values, strict=True)]
    (root / "Anno/list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    parts = [f"{name} {partition}" for name, partition in zip(names, partitions, strict=True)]
    (root / "Eval/list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    for name in names:
        small = rng.integers(0, 256, (7, 6, 3)).astype(np.uint8)
        Image.fromarray(small).resize(size[::-1], Image.Resampling.NEAREST).save(
            root / "Img/img_align_celeba" / name, quality=90
        )
    return dict(zip(names, values, strict=True))
