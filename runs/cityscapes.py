"""Cityscapes, two dense tasks on MobileNetV2, in the arrays and with the augmentation of MTAN (Liu et al., CVPR 2019).

Set these paths by environment variables or by ``--set``:

- ``CITYSCAPES`` (``data.folder``): the folder of `nas.datasets.npy_layout.Cityscapes`; "data/cityscapes" if unset.
- ``MOBILENET_V2`` (``backbone.weights``): ImageNet weights, a state dict with torchvision's names; without it all
  weights start at random.

The fully shared network costs 0.61 of two separate ones. The depth labels are inverse depth, so enlarging a picture
multiplies them; MTAN's code divides them. Epochs and learning rates are common values and were not tuned.
"""

import os
from pathlib import Path

from nyuv2 import augmented
from nyuv2 import experiment as nyuv2

from nas import Experiment, lazy
from nas.data.augmentation import AugmentedSource, LabelKind
from nas.datasets.dense_tasks import cityscapes_tasks
from nas.datasets.npy_layout import Cityscapes

SIZE = (128, 256)
KINDS: dict[str, LabelKind] = {"semseg": "classes", "depth": "inverse_depth"}


def augmented_cityscapes(
    folder: str | Path,
    *,
    size: tuple[int, int] = SIZE,
    architecture: float = 0.2,
    validation: float = 0.05,
    seed: int = 0,
) -> AugmentedSource:
    source = Cityscapes(folder, num_classes=7, architecture=architecture, validation=validation, seed=seed)
    return augmented(source, KINDS, size)


def experiment() -> Experiment:
    """A variant of `runs/nyuv2.py` with other tasks, data and budgets."""
    return nyuv2().with_fields(
        {
            "tasks": cityscapes_tasks(),
            "data": lazy(augmented_cityscapes, folder=os.environ.get("CITYSCAPES", "data/cityscapes")),
            "input_shape": (3, *SIZE),
            "goal.budgets": (0.65, 0.75, 0.85, 0.95),
        }
    )
