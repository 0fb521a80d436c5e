"""Data: samples with labels for some or all tasks, batches in a reproducible order, and sources that provide them.

- A *sample* is ``(input, {task: label})``. A missing label is left out of the dict, so it can never enter a loss.
- A *data source* is any object with ``split(name)``, which returns a map-style data set for each of the four `SPLITS`.
  Weights are trained on "train", logits on "architecture"; epochs are chosen on "validation"; "test" is used once.
- `batches` stacks samples into a `Batch`. Their order depends only on seed and epoch, so a resumed run sees what an
  uninterrupted one would have seen.

>>> import torch
>>> from nas.data import MaskedTensors, SplitSource, batches
>>> labels = {"depth": torch.rand(8, 1), "kind": torch.randint(3, (8,))}
>>> photos = MaskedTensors(torch.rand(8, 3, 4, 4), labels, present={"kind": torch.arange(8) < 6})
>>> image, found = photos[7]
>>> list(found)
['depth']
>>> source = SplitSource(photos, test=photos, architecture=0.25, validation=0.25)
>>> len(source.split("train")), len(source.split("architecture"))
(4, 2)
>>> batch = next(iter(batches(photos, 8, seed=0, epoch=0, shuffle=True, drop_last=False)))
>>> batch.inputs.shape, len(batch.labels["kind"]), int(batch.present["kind"].sum())
(torch.Size([8, 3, 4, 4]), 6, 6)

`MaskedTensors` holds samples in memory, and `SplitSource` makes four splits of a training and a test set.
`nas.data.augmentation` changes images together with their labels. Start with README.md in this folder, which says what
a source and its labels must be; the types are in `nas.data.batch`.
"""

from nas.data.batch import SPLITS, Batch, Dataset, DataSource, Sample, SplitName, collate
from nas.data.loader import batches
from nas.data.named import NamedSource
from nas.data.pixels import PixelScale, find_pixel_scale
from nas.data.seeds import derive_seed
from nas.data.splits import SplitSource
from nas.data.tensors import MaskedTensors

__all__ = [
    "SPLITS",
    "Batch",
    "DataSource",
    "Dataset",
    "MaskedTensors",
    "NamedSource",
    "PixelScale",
    "Sample",
    "SplitName",
    "SplitSource",
    "batches",
    "collate",
    "derive_seed",
    "find_pixel_scale",
]
