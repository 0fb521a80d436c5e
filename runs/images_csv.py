"""Any folder of pictures with a table (CSV or parquet): the columns that you name become tasks.

    photos/
      labels.csv        file, species, weight, outline
      images/0001.jpg   named in one column, here "file"
      masks/0001.png    named in another one, here "outline"; an empty cell is a missing label

Two settings are needed; `nas check` shows what each column was taken for:

    tools/nas check runs/images_csv.py --set data.folder=photos --set 'data.targets=["species","weight","outline"]'

`--set 'data.targets={"species":null,"weight":"number","outline":["background","leaf"]}'` states it.
`--set data.size=[128,128]` changes the size, and `data.split` and `data.group` name columns that divide the rows
(`nas.datasets.images_csv`).

The search recommends one tree and keeps the curve of all costs: `nas front RUN --budgets 0.6 0.8` takes others from it.
With few tasks the heads decide which budgets are possible; `nas profile` shows the cost of the shared network.

``MOBILENET_V2`` (``backbone.weights``) names a file of ImageNet weights, a state dict with torchvision's names. Without
it all weights start at random, which needs more pictures and epochs.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from nas import CompareSettings, Experiment, Similarity, TrainingSettings, Transfer, lazy
from nas.data.augmentation import Augmentation, AugmentedSource, Normalize, RandomFlip
from nas.datasets.columns import Stated
from nas.datasets.images_csv import Edit, ImagesCsv
from nas.engine.compute import ComputeSettings
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from search_spaces import MobileNetV2

# Mean and deviation of ImageNet, with which the weights were trained.
NORMALIZE = Normalize(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
ADAM = OptimizerSettings(kind="adam", lr=3e-3, weight_decay=1e-4)
COSINE = ScheduleSettings(kind="cosine", warmup=0.1)
COMPUTE = ComputeSettings(channels_last=True)
OWN_COPIES = Similarity(epochs=3, batch_size=32, weights=ADAM, compute=COMPUTE)


def pictures(
    folder: str | Path,
    targets: Sequence[str] | Mapping[str, Stated] = (),
    *,
    size: Sequence[int] = (96, 96),
    letterbox: bool = False,
    table: str | None = None,
    image: str | None = None,
    split: str | None = None,
    group: str | None = None,
    edit: Edit | None = None,
    flip: bool = True,
    seed: int = 0,
) -> AugmentedSource:
    """`ImagesCsv` with ImageNet's normalisation; training pictures are mirrored at random unless ``flip`` is false."""
    source = ImagesCsv(
        folder,
        targets,
        size=size,
        letterbox=letterbox,
        table=table,
        image=image,
        split=split,
        group=group,
        edit=edit,
        seed=seed,
    )
    training = (RandomFlip(), NORMALIZE) if flip else (NORMALIZE,)
    return AugmentedSource(source, Augmentation(training, source.kinds), Augmentation((NORMALIZE,), source.kinds))


def experiment() -> Experiment:
    return Experiment(
        # Stride 32 is that of the ImageNet training; with 16, small pictures take a third longer and gain little.
        backbone=lazy(MobileNetV2, weights=os.environ.get("MOBILENET_V2"), output_stride=32),
        data=lazy(pictures, folder=os.environ.get("IMAGES_CSV", "data/photos")),
        strategies={
            "similarity": OWN_COPIES,
            "transfer": Transfer(trainings=6, start=OWN_COPIES),
        },
        strategy="similarity",
        retrain=TrainingSettings(epochs=12, batch_size=32, optimizer=ADAM, schedule=COSINE, compute=COMPUTE),
        compare=CompareSettings(seeds=(0, 1, 2), random_trees=3),
        # A second thread makes steps at this size hardly faster.
        num_threads=1,
    )
