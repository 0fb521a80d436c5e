"""NYUv2, three dense tasks on MobileNetV2, in the arrays and with the augmentation of MTAN (Liu et al., CVPR 2019).

Set these paths by environment variables or by ``--set``:

- ``NYUV2`` (``data.folder``): the folder of `nas.datasets.npy_layout.NYUv2`; "data/nyuv2" if it is not set.
- ``MOBILENET_V2`` (``backbone.weights``): ImageNet weights, a state dict with torchvision's names; without it all
  weights start at random.

The fully shared network costs 0.48 of three separate ones. Epochs and learning rates are common values and were not
tuned.
"""

import os
from pathlib import Path

from nas import CompareSettings, Experiment, Goal, Gradient, Similarity, TrainingSettings, lazy
from nas.data import DataSource
from nas.data.augmentation import (
    Augmentation,
    AugmentedSource,
    CenterCrop,
    LabelKind,
    Normalize,
    RandomCrop,
    RandomFlip,
    RandomScale,
)
from nas.datasets.dense_tasks import nyuv2_tasks
from nas.datasets.npy_layout import NYUv2
from nas.engine.optimizer import OptimizerSettings
from search_spaces import MobileNetV2

SIZE = (288, 384)
KINDS: dict[str, LabelKind] = {"semseg": "classes", "depth": "depth", "normals": "normals"}
# Mean and deviation of ImageNet, with which the weights were trained.
NORMALIZE = Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def augmented_nyuv2(
    folder: str | Path,
    *,
    size: tuple[int, int] = SIZE,
    architecture: float = 0.2,
    validation: float = 0.05,
    seed: int = 0,
) -> AugmentedSource:
    source = NYUv2(folder, architecture=architecture, validation=validation, seed=seed)
    return augmented(source, KINDS, size)


def augmented(source: DataSource, kinds: dict[str, LabelKind], size: tuple[int, int]) -> AugmentedSource:
    """Training pictures are enlarged by 1, 1.2 or 1.5 (which divides their depth), cropped and flipped at random."""
    training = (RandomScale((1.0, 1.2, 1.5)), RandomCrop(size), RandomFlip(), NORMALIZE)
    evaluation = (CenterCrop(size), NORMALIZE)
    return AugmentedSource(source, Augmentation(training, kinds), Augmentation(evaluation, kinds))


def experiment() -> Experiment:
    return Experiment(
        tasks=nyuv2_tasks(),
        backbone=lazy(MobileNetV2, weights=os.environ.get("MOBILENET_V2")),
        data=lazy(augmented_nyuv2, folder=os.environ.get("NYUV2", "data/nyuv2")),
        input_shape=(3, *SIZE),
        goal=Goal(budgets=(0.5, 0.6, 0.75, 0.9)),
        strategies={
            "similarity": Similarity(
                epochs=50, batch_size=8, weights=OptimizerSettings(kind="adam", lr=1e-4, weight_decay=1e-4)
            ),
            "gradient": Gradient(
                epochs=100,
                warmup=0.1,
                batch_size=8,
                weights=OptimizerSettings(kind="adam", lr=1e-4, weight_decay=1e-4),
            ),
        },
        strategy="similarity",
        retrain=TrainingSettings(
            epochs=200,
            batch_size=8,
            optimizer=OptimizerSettings(kind="adam", lr=1e-4, weight_decay=1e-4),
        ),
        compare=CompareSettings(seeds=(0, 1, 2), random_trees=3),
        num_workers=4,
    )
