"""Rendered scenes for dense multi-task prediction: a data set whose labels are exact, made where it is used.

Read in this order: `solids` (what scenes are built of), `layout` (how a `room` or a `street` is composed), `table`
(scenes as tensors), `primitives` and `cast` (rays), `view` (what each pixel sees), `shade` and `labels` (what is made
of it), `source` (samples and splits).

    >>> source = Scenes(sizes={"train": 8}, image_size=(32, 32), tasks=("semseg", "depth"))
    >>> batch = source.split("train").__getitems__([0, 1, 2])
    >>> batch.inputs.shape, batch.labels["depth"].shape
    (torch.Size([3, 3, 32, 32]), torch.Size([3, 1, 32, 32]))
"""

from nas.datasets.scenes.classes import PARTS, SEMSEG_CLASSES, TASKS, SceneTask
from nas.datasets.scenes.source import Scenes, SceneSplit

__all__ = ["PARTS", "SEMSEG_CLASSES", "TASKS", "SceneSplit", "SceneTask", "Scenes"]
