"""PASCAL-Context, five dense tasks on MobileNetV2: BMTAS as published (Bruggemann et al., BMVC 2020).

Set these paths by environment variables or by ``--set``:

- ``PASCAL_MT`` (``data.folder``): the folder of `nas.datasets.pascal`; "data/PASCAL_MT" if it is not set.
- ``MOBILENET_V2`` (``backbone.weights``): ImageNet weights, a state dict with torchvision's names. Published results
  start from them; without them all weights start at random.
- ``data.cache`` (optional): a folder outside of the data for decoded samples. In half resolution, decoding a sample
  takes about 40 ms on one core, and reading it from the cache 8 ms.

The search uses pictures in half resolution, cropped to 256 x 256; costs are measured at 512 x 512. Retraining uses full
resolution, cropped to 512 x 512, and dropout in R-ASPP:

    tools/nas search runs/pascal_context.py --out RUN
    tools/nas retrain RUN --set data.half_resolution=false --set data.crop=512 --set backbone.dropout=0.1

`evaluate` and `compare` need the same changes. Differs from the paper: 5 % of the training pictures are held out to
choose the best epoch; labels differ as `PascalMT` documents; BatchNorm is not synchronised, since there is one GPU.
For trees within budgets: ``--set strategy.discretize=exact --set goal.budgets=[0.5,0.6,0.7]``.
"""

import os
from pathlib import Path

from nas import CompareSettings, Experiment, TrainingSettings, bmtas, lazy
from nas.data.augmentation import (
    Augmentation,
    AugmentedSource,
    CenterCrop,
    Normalize,
    RandomCrop,
    RandomFlip,
    RandomScale,
)
from nas.datasets.dense_tasks import pascal_context_tasks
from nas.datasets.pascal import KINDS, PascalMT, drop_absent_people
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from search_spaces import MobileNetV2


def augmented_pascal(
    folder: str | Path,
    *,
    half_resolution: bool = True,
    crop: int = 256,
    architecture: float = 0.2,
    validation: float = 0.05,
    seed: int = 0,
    cache: str | Path | None = None,
) -> AugmentedSource:
    """Pictures in [-1, 1]; training pictures are scaled, cropped and flipped at random, others cropped centrally."""
    source = PascalMT(
        folder,
        half_resolution=half_resolution,
        architecture=architecture,
        validation=validation,
        seed=seed,
        cache=cache,
    )
    training = (RandomScale(), RandomCrop((crop, crop)), RandomFlip(), drop_absent_people, Normalize())
    evaluation = (CenterCrop((crop, crop)), drop_absent_people, Normalize())
    return AugmentedSource(source, Augmentation(training, KINDS), Augmentation(evaluation, KINDS))


def experiment() -> Experiment:
    return Experiment(
        tasks=pascal_context_tasks(),
        backbone=lazy(MobileNetV2, dropout=0.0, weights=os.environ.get("MOBILENET_V2")),
        data=lazy(augmented_pascal, folder=os.environ.get("PASCAL_MT", "data/PASCAL_MT")),
        input_shape=(3, 512, 512),
        strategy=bmtas(),
        retrain=TrainingSettings(
            epochs=130,
            batch_size=16,
            optimizer=OptimizerSettings(kind="sgd", lr=0.005, momentum=0.9, weight_decay=1e-4),
            schedule=ScheduleSettings(kind="polynomial", power=0.9),
            shared_lr="divided",
        ),
        compare=CompareSettings(seeds=(0, 1, 2), random_trees=3),
        num_workers=4,
    )
