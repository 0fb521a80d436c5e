"""Joint augmentation: every step changes an image and all its labels together.

An `Augmentation` is a sequence of steps and, for every task, a `LabelKind`, which says what the label's numbers mean.
A flip, for example, negates the x of "normals", and a larger scale divides "depth". Task names have no meaning here.

    >>> kinds = {"semseg": "classes", "normals": "normals", "edge": "mask"}
    >>> training = Augmentation((RandomScale(), RandomCrop((256, 256)), RandomFlip(), Normalize()), kinds)
    >>> evaluation = Augmentation((CenterCrop((256, 256)), Normalize()), kinds)

``AugmentedSource(source, training, evaluation)`` applies both to a data source. A sample's random numbers depend only
on (seed, epoch, index), which `nas.data.batches` provides, so any epoch can be reproduced with any number of workers.

`Resize` and `Letterbox` give pictures of several sizes one size, in all splits alike: use
``resized(source, Letterbox((256, 256)), kinds)``, and an `AugmentedSource` around it if you want one.

A step is any function of (sample, kinds, random numbers) that returns a sample. Images are floats [C, H, W] in [0, 1]
until they are normalised; labels of all kinds but "points" and "none" are [..., H, W]. Start with
`nas.data.augmentation.kinds`, which lists the kinds.
"""

from nas.data.augmentation.augmented import Augmentation, Augmented, AugmentedSource, Step
from nas.data.augmentation.geometry import CenterCrop, RandomCrop, RandomFlip, RandomScale
from nas.data.augmentation.kinds import Kinds, LabelKind
from nas.data.augmentation.photometric import ColorJitter, Normalize
from nas.data.augmentation.resizing import Letterbox, Resize, resized

__all__ = [
    "Augmentation",
    "Augmented",
    "AugmentedSource",
    "CenterCrop",
    "ColorJitter",
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
