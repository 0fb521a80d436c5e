"""A folder of pictures and a table, as people have them: labels.csv, images/ and masks/."""

from pathlib import Path

import numpy as np
from PIL import Image

SPECIES = ("ash", "elm", "oak")


def write_photos(
    root: Path, num: int = 60, *, size: tuple[int, int] = (20, 30), column: str = "weight (g)"
) -> dict[str, np.ndarray]:
    """Every picture has a species and "ill", most have a weight and a mask; returns the pixels.

    The label of a row can be read off its number i: species i % 3, weight 100 + i, ill i % 2; rows with i % 5 == 4 have
    no weight, rows with i % 4 == 3 no mask. The pictures are of two sizes. ``column`` names the
    weights' column.
    """
    rng = np.random.default_rng(0)
    pixels: dict[str, np.ndarray] = {}
    lines = [f"file,species,{column},ill,outline,owner"]
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for i in range(num):
        height, width = size if i % 2 else (2 * size[0], 2 * size[1])
        image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        mask = np.zeros((height, width), dtype=np.uint8)
        mask[: height // 2] = i % 3
        pixels[f"{i}.png"] = image
        Image.fromarray(image).save(root / "images" / f"{i}.png")
        outline = ""
        if i % 4 != 3:
            outline = f"{i}-mask.png"
            Image.fromarray(mask).save(root / "masks" / outline)
        weight = "" if i % 5 == 4 else f"{100 + i}.5"
        lines.append(f"{i}.png,{SPECIES[i % 3]},{weight},{'yes' if i % 2 else 'no'},{outline},owner{i // 4}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return pixels
