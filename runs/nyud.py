"""NYUD_MT, four dense tasks on MobileNetV2, with the published augmentation.

The data are the archive NYUD_MT.tgz of one of the repositories facebookresearch/astmt (first release) and
SimonVandenhende/Multi-Task-Learning-PyTorch (second release). Set these paths by environment variables or by ``--set``:

- ``NYUD_MT`` (``data.folder``): the folder of `nas.datasets.nyud`; "data/NYUD_MT" if it is not set.
- ``MOBILENET_V2`` (``backbone.weights``): ImageNet weights, a state dict with torchvision's names; without it all
  weights start at random.

The fully shared network costs 0.42 of four separate ones. Epochs and learning rates are those of `runs/nyuv2.py`.
"""

import os
from pathlib import Path

from nyuv2 import augmented
from nyuv2 import experiment as nyuv2

from nas import Experiment, lazy
from nas.data.augmentation import AugmentedSource
from nas.datasets.dense_tasks import nyud_tasks
from nas.datasets.nyud import KINDS, NYUDMT

SIZE = (425, 560)


def augmented_nyud(
    folder: str | Path,
    *,
    size: tuple[int, int] = SIZE,
    architecture: float = 0.2,
    validation: float = 0.05,
    seed: int = 0,
) -> AugmentedSource:
    source = NYUDMT(folder, architecture=architecture, validation=validation, seed=seed)
    return augmented(source, KINDS, size)


def experiment() -> Experiment:
    """A variant of `runs/nyuv2.py` with other tasks, data and budgets."""
    return nyuv2().with_fields(
        {
            "tasks": nyud_tasks(),
            "data": lazy(augmented_nyud, folder=os.environ.get("NYUD_MT", "data/NYUD_MT")),
            "input_shape": (3, *SIZE),
            "goal.budgets": (0.45, 0.55, 0.7, 0.85),
        }
    )
