"""Data: samples of which any may lack any label, batches whose order can be made again, and sources of them.

A data source is any object with ``split(name) -> Dataset`` for the four splits of `SPLITS`; a data set is any
map-style one whose samples are ``(input, {task: label})``. `MaskedTensors` is one that lies in memory, and
`SplitSource` cuts a training set for those who have nothing but that and a test set. `nas.data.augmentation` changes
images and their labels together.
"""

from nas.data.batch import SPLITS, Batch, Dataset, DataSource, Sample, SplitName, collate
from nas.data.loader import batches
from nas.data.named import NamedSource
from nas.data.pixels import PixelScale, find_pixel_scale
from nas.data.seeds import derive_seed
from nas.data.splits import SplitSource, split_indices
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
    "split_indices",
]
