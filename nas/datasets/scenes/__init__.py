"""Rendered scenes for dense multi-task prediction: rooms and streets with exact labels for six tasks, no download.

A ray caster in torch renders each sample from random numbers that depend only on the seed, the split and the index. So
samples are the same on every machine of one kind, and can be cached on disk.

Read in this order: `solids` (the shapes that objects are built of), `layout` (how a `room` or a `street` is composed),
`table` (scenes as tensors), `primitives` and `cast` (rays), `view` (the surface that each pixel sees), `shade` and
`labels` (pictures and labels from these surfaces), `source` (samples and splits).

    >>> source = Scenes(sizes={"train": 8}, image_size=(32, 32), tasks=("semseg", "depth"))
    >>> batch = source.split("train").__getitems__([0, 1, 2])
    >>> batch.inputs.shape, batch.labels["depth"].shape
    (torch.Size([3, 3, 32, 32]), torch.Size([3, 1, 32, 32]))
"""

from nas.datasets.scenes.classes import PARTS, SEMSEG_CLASSES, TASKS
from nas.datasets.scenes.source import Scenes

__all__ = ["PARTS", "SEMSEG_CLASSES", "TASKS", "Scenes"]
