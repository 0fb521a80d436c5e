"""Taskonomy, five dense tasks on MobileNetV2, with the labels and weights of AdaShare (Sun et al., NeurIPS 2020).

``omnitools.download`` (package omnidata-tools) downloads the component taskonomy; its domains rgb,
segment_semantic, normal, depth_zbuffer, keypoints2d and edge_texture are needed. The table of the buildings of each
split is in splits_taskonomy.zip of the repository StanfordVL/taskonomy. Set these paths by environment variables or by
``--set``:

- ``TASKONOMY`` (``data.folder``): a folder in one of the layouts of `nas.datasets.taskonomy`; "data/taskonomy" if it is
  not set. With a file taskonomy.json it is read as AdaShare's, otherwise as the downloads.
- ``data.split_file``: the table or the JSON file, if it is not in the folder.
- ``MOBILENET_V2`` (``backbone.weights``): ImageNet weights, a state dict with torchvision's names; without it all
  weights start at random.

The fully shared network costs 0.38 of five separate ones. Epochs and learning rates are common values and were not
tuned. Differs from AdaShare: training pictures are only enlarged, as in `runs/nyuv2.py`, and this divides their depth.
"""

import os
from pathlib import Path

from nyuv2 import NORMALIZE
from nyuv2 import experiment as nyuv2

from nas import Experiment, Gradient, Similarity, lazy
from nas.data import DataSource
from nas.data.augmentation import Augmentation, AugmentedSource, LabelKind, RandomCrop, RandomFlip, RandomScale, Resize
from nas.datasets.dense_tasks import taskonomy_tasks
from nas.datasets.taskonomy import KINDS, TaskonomyBuildings, TaskonomyLists, to_linear_depth, to_log_depth
from nas.engine.optimizer import OptimizerSettings

SIZE = (256, 256)
# Between `to_linear_depth` and `to_log_depth` it is the depth itself.
AUGMENTED_KINDS: dict[str, LabelKind] = {**KINDS, "depth": "depth"}
WEIGHTS = OptimizerSettings(kind="adam", lr=1e-4, weight_decay=1e-4)


def augmented_taskonomy(
    folder: str | Path,
    *,
    size: tuple[int, int] = SIZE,
    split_file: str | Path | None = None,
    seed: int = 0,
) -> AugmentedSource:
    """All pictures are resized; training pictures are also enlarged by 1, 1.2 or 1.5, cropped and flipped at random."""
    source = _read(Path(folder).expanduser(), split_file, seed, Resize(size))
    zoom = (to_linear_depth, RandomScale((1.0, 1.2, 1.5)), to_log_depth)
    training = (*zoom, RandomCrop(size), RandomFlip(), NORMALIZE)
    return AugmentedSource(source, Augmentation(training, AUGMENTED_KINDS), Augmentation((NORMALIZE,), AUGMENTED_KINDS))


def _read(folder: Path, split_file: str | Path | None, seed: int, resize: Resize) -> DataSource:
    if (folder / "taskonomy.json").is_file() or Path(split_file or "").suffix == ".json":
        return TaskonomyLists(folder, split_file=split_file, seed=seed, resize=resize)
    return TaskonomyBuildings(folder, split_file=split_file, seed=seed, resize=resize)


def experiment() -> Experiment:
    """A variant of `runs/nyuv2.py` with other tasks, data and budgets, and fewer epochs of more pictures."""
    return nyuv2().with_fields(
        {
            "tasks": taskonomy_tasks(),
            "data": lazy(augmented_taskonomy, folder=os.environ.get("TASKONOMY", "data/taskonomy")),
            "input_shape": (3, *SIZE),
            "goal.budgets": (0.4, 0.5, 0.65, 0.8),
            "strategies": {
                "similarity": Similarity(epochs=2, batch_size=16, weights=WEIGHTS),
                "gradient": Gradient(epochs=4, warmup=0.25, batch_size=16, weights=WEIGHTS),
            },
            "strategy": "similarity",
            "retrain.epochs": 10,
            "retrain.batch_size": 16,
        }
    )
