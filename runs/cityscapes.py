"""Cityscapes, two dense tasks on MobileNetV2, in the arrays and with the augmentation of MTAN (Liu et al., CVPR 2019).

Needed, named by environment variables or by ``--set``:

- ``CITYSCAPES`` (``data.root``): the folder of `nas.data.npy_layout.Cityscapes`; "data/cityscapes" if it is not set.
- ``MOBILENET_V2`` (``backbone.weights``): ImageNet weights, a state dict with torchvision's names; without the variable
  everything starts at random.

The fully shared network costs 0.61 of two separate ones. Depth is inverse depth, which a scale multiplies, where
MTAN's code divides it. The lengths and rates are usual ones, not tuned here.
"""

import os
from pathlib import Path

from nas import CompareSettings, Experiment, SearchSettings, TrainingSettings, lazy
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
from nas.data.npy_layout import Cityscapes
from nas.optimizer import OptimizerSettings
from nas.tasks.dense import cityscapes_tasks
from search_spaces import MobileNetV2

SIZE = (128, 256)
KINDS: dict[str, LabelKind] = {"semseg": "classes", "depth": "inverse_depth"}
# Of ImageNet, which the weights are used to.
NORMALIZE = Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def augmented_cityscapes(
    root: str | Path,
    *,
    size: tuple[int, int] = SIZE,
    architecture: float = 0.2,
    validation: float = 0.05,
    seed: int = 0,
) -> AugmentedSource:
    """Those trained on are enlarged by 1, 1.2 or 1.5, cut and flipped at random."""
    source = Cityscapes(root, num_classes=7, architecture=architecture, validation=validation, seed=seed)
    training = (RandomScale((1.0, 1.2, 1.5)), RandomCrop(size), RandomFlip(), NORMALIZE)
    evaluation = (CenterCrop(size), NORMALIZE)
    return AugmentedSource(source, Augmentation(training, KINDS), Augmentation(evaluation, KINDS))


def experiment() -> Experiment:
    return Experiment(
        tasks=cityscapes_tasks(),
        backbone=lazy(MobileNetV2, weights=os.environ.get("MOBILENET_V2")),
        data=lazy(augmented_cityscapes, root=os.environ.get("CITYSCAPES", "data/cityscapes")),
        input_shape=(3, *SIZE),
        search=SearchSettings(
            budgets=(0.65, 0.75, 0.85, 0.95),
            epochs=100,
            warmup=0.1,
            batch_size=8,
            weights=OptimizerSettings(kind="adam", lr=1e-4, weight_decay=1e-4),
        ),
        retrain=TrainingSettings(
            epochs=200,
            batch_size=8,
            optimizer=OptimizerSettings(kind="adam", lr=1e-4, weight_decay=1e-4),
        ),
        compare=CompareSettings(seeds=(0, 1, 2), random_trees=3),
        num_workers=4,
    )
