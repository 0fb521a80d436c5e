"""Joint augmentation: what happens to an image happens to all of its labels, each in its own way.

An `Augmentation` is a sequence of steps and, for every task, the `LabelKind` that says what a label's numbers mean:
a flip negates the x of "normals", a larger scale makes "depth" smaller. Names of tasks mean nothing here.

    >>> kinds = {"semseg": "classes", "normals": "normals", "edge": "mask"}
    >>> training = Augmentation((RandomScale(), RandomCrop((256, 256)), RandomFlip(), Normalize()), kinds)
    >>> evaluation = Augmentation((CenterCrop((256, 256)), Normalize()), kinds)

Both go around a data source as ``AugmentedSource(source, training, evaluation)``. What is drawn for a sample is a
function of (seed, epoch, index) alone, which `nas.data.batches` hands over: any epoch can be made again, with any
number of workers, in any order.

Pictures of several sizes get one by `Resize` or `Letterbox`, in every split alike:
``resized(source, Letterbox((256, 256)), kinds)`` is a source of such pictures, and an `AugmentedSource` may go around
it.

A step is any function of (sample, kinds, random numbers) that returns a sample; images are float [C, H, W] in [0, 1]
until they are normalised, and labels of all kinds but "points" and "none" are [..., H, W].
"""

from nas.data.augmentation.augmented import Augmentation, Augmented, AugmentedSource, Step
from nas.data.augmentation.geometry import CenterCrop, RandomCrop, RandomFlip, RandomScale
from nas.data.augmentation.kinds import Kinds, LabelKind
from nas.data.augmentation.photometric import Normalize
from nas.data.augmentation.resizing import Letterbox, Resize, resized

__all__ = [
    "Augmentation",
    "Augmented",
    "AugmentedSource",
    "CenterCrop",
    "Kinds",
    "LabelKind",
    "Letterbox",
    "Normalize",
    "RandomCrop",
    "RandomFlip",
    "RandomScale",
    "Resize",
    "Step",
    "resized",
]
