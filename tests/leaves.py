"""Pictures of leaves with a table, from which small networks learn within seconds, and a recipe for them."""

from pathlib import Path

import numpy as np
from PIL import Image

SPECIES = ("ash", "elm", "oak")
COLOURS = ((60, 160, 60), (160, 120, 40), (40, 90, 170))

RECIPE = """
from pathlib import Path

from torch import nn

import nas
from nas.datasets.images_csv import ImagesCsv
from search_spaces import from_module
from search_spaces.heads import ready_head

FAST = nas.TrainingSettings().optimizer.model_copy(update={"kind": "adam", "lr": 1e-2})


OWN_COPIES = nas.Similarity(epochs=6, batch_size=8, candidates="plain", weights=FAST)


def stage(inputs, outputs, stride):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


def net():
    return nn.Sequential(stage(3, 8, 4), stage(8, 12, 2), stage(12, 16, 1), stage(16, 16, 2))


def experiment():
    return nas.Experiment(
        backbone=nas.lazy(
            from_module,
            module_or_factory=net,
            stem="0",
            blocks=["1", "2", "3"],
            head=ready_head(),
            input_shape=(3, 64, 64),
        ),
        data=nas.lazy(
            ImagesCsv,
            folder=Path(__file__).parent / "photos",
            targets=["species", "weight"],
            image="file",
            size=(64, 64),
        ),
        strategies={"similarity": OWN_COPIES, "transfer": nas.Transfer(trainings=2, start=OWN_COPIES)},
        strategy="similarity",
        retrain=nas.TrainingSettings(epochs=2, batch_size=8, optimizer=FAST),
        compare=nas.CompareSettings(seeds=(0,), random_trees=1),
        device="cpu",
        num_threads=1,
    )
"""


def write_leaves(root: Path, num: int = 60, *, size: int = 32) -> None:
    """``labels.csv``, ``images/`` and ``masks/``: the colour tells the species, the area the weight."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    lines = ["file,species,weight,outline"]
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for i in range(num):
        radius = size * rng.uniform(0.15, 0.45)
        mask = (y - size / 2) ** 2 + (x - size / 2) ** 2 < radius**2
        pixels = rng.normal(200, 10, (size, size, 3))
        pixels[mask] = COLOURS[i % 3] + rng.normal(0, 10, (mask.sum(), 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / "images" / f"{i:03}.png")
        Image.fromarray(mask.astype(np.uint8)).save(root / "masks" / f"{i:03}.png")
        weight = "" if i % 7 == 3 else f"{mask.mean() * 10:.2f}"
        lines.append(f"images/{i:03}.png,{SPECIES[i % 3]},{weight},masks/{i:03}.png")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
