"""CelebA, 40 attributes of faces on a narrow MobileNetV2.

The data are on https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html: the folders ``Anno`` and ``Eval``, and
img_align_celeba.zip, which is unpacked below ``Img``. Set the folder by an environment variable or by ``--set``:

- ``CELEBA`` (``data.folder``): the folder of `nas.datasets.celeba`; "data/celeba" if it is not set.
- ``data.size`` (optional): height and width to which pictures are resized; set ``input_shape`` to the same.

The fully shared network costs 0.025 of 40 separate ones. The gradient search is the default, since the similarity
search would train 80 networks. Trees of more than 8 tasks are found by beam search. Epochs and learning rates are
common values and were not tuned. This recipe is for a GPU.
"""

import os
from pathlib import Path

from nas import CompareSettings, Experiment, Goal, Gradient, Similarity, TrainingSettings, lazy
from nas.data.augmentation import Augmentation, AugmentedSource, Normalize, RandomFlip, Resize
from nas.datasets.celeba import CelebA, celeba_tasks
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from search_spaces import MobileNetV2

SIZE = (112, 96)
WEIGHTS = OptimizerSettings(kind="adam", lr=1e-3, weight_decay=1e-4)


def augmented_celeba(
    folder: str | Path, *, size: tuple[int, int] = SIZE, architecture: float = 0.2, seed: int = 0
) -> AugmentedSource:
    """Pictures in [-1, 1]; training pictures are flipped at random."""
    source = CelebA(folder, architecture=architecture, seed=seed, resize=Resize(size))
    training = Augmentation((RandomFlip(), Normalize()), source.kinds)
    return AugmentedSource(source, training, Augmentation((Normalize(),), source.kinds))


def experiment() -> Experiment:
    tasks = celeba_tasks()
    return Experiment(
        tasks=tasks,
        backbone=lazy(MobileNetV2, width=0.5, output_stride=32, image_tasks=tuple(task.name for task in tasks)),
        data=lazy(augmented_celeba, folder=os.environ.get("CELEBA", "data/celeba")),
        input_shape=(3, *SIZE),
        goal=Goal(budgets=(0.05, 0.1, 0.2)),
        strategies={
            "gradient": Gradient(
                epochs=12, warmup=0.25, batch_size=64, num_candidates=4, routing="one_path", weights=WEIGHTS
            ),
            "similarity": Similarity(epochs=1, batch_size=32, checkpoint_activations=True, weights=WEIGHTS),
        },
        strategy="gradient",
        retrain=TrainingSettings(
            epochs=12,
            batch_size=64,
            optimizer=WEIGHTS,
            schedule=ScheduleSettings(kind="cosine", warmup=0.05),
        ),
        compare=CompareSettings(seeds=(0, 1, 2), random_trees=3),
        num_workers=4,
    )
