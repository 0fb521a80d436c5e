"""Dense tasks, with one prediction per pixel, as the usual data sets have them.

The default weights are those of BMTAS: 1 for segmentation, 2 for human parts, 5 for saliency, 10 for normals, 50 for
edges, and 1 for depth, which BMTAS does not have. The default metric is the one that papers report. Both can be
changed: ``edge(weight=20, metrics=("ods_f", "binary_f1"))``. The data sources use the same names of tasks.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from nas.datasets.pascal import PART_CLASSES
from nas.datasets.scenes import PARTS, SEMSEG_CLASSES
from nas.tasks.losses import weighted_binary_cross_entropy
from nas.tasks.task import Task

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "dining table", "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa", "train", "tv monitor",
)  # fmt: skip
"""PASCAL VOC's 20 classes, in the order of their names, after the background."""

NYU_CLASSES = (
    "bed", "books", "ceiling", "chair", "floor", "furniture", "objects", "picture", "sofa", "table", "tv", "wall",
    "window",
)  # fmt: skip
"""NYUv2's 13 classes (Couprie et al., ICLR 2013), in the order of their names."""

NYU_40_CLASSES = (
    "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf", "picture", "counter",
    "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor mat", "clothes", "ceiling", "books",
    "refrigerator", "television", "paper", "towel", "shower curtain", "box", "whiteboard", "person", "night stand",
    "toilet", "sink", "lamp", "bathtub", "bag", "other structure", "other furniture", "other prop",
)  # fmt: skip
"""NYUv2's 40 classes (Gupta et al., CVPR 2013), in the order of their numbers."""

TASKONOMY_CLASSES = (
    "background", "bottle", "chair", "couch", "potted plant", "bed", "dining table", "toilet", "tv", "microwave",
    "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase",
)  # fmt: skip
"""Taskonomy's 16 classes of objects after the background, in the order of their numbers."""

CITYSCAPES_CATEGORIES = ("flat", "construction", "object", "nature", "sky", "human", "vehicle")
"""Cityscapes' categories in the order of their ids, without "void"."""

_ANGLES = ("mean_angle", "median_angle", "within_11_25", "within_22_5", "within_30")


def semseg(num_outputs: int, **changes: Any) -> Task:
    """A class for every pixel; labels are integers [H, W]."""
    return _task(changes, name="semseg", num_outputs=num_outputs, loss="cross_entropy", metrics=("mean_iou",))


def human_parts(*, labels: Sequence[str] = PART_CLASSES, **changes: Any) -> Task:
    """The part for every pixel, one of those named; labels are integers [H, W]."""
    return semseg(len(labels), labels=labels, **{"name": "human_parts", "weight": 2.0, **changes})


def sal(**changes: Any) -> Task:
    """Saliency: whether a pixel belongs to what one looks at first; labels are 0 and 1, [1, H, W]."""
    loss = "balanced_binary_cross_entropy"
    return _task(changes, name="sal", num_outputs=1, loss=loss, metrics=("max_mean_iou",), weight=5.0)


def normals(**changes: Any) -> Task:
    """Surface normals; labels are unit vectors [3, H, W], x to the right in the image."""
    return _task(changes, name="normals", num_outputs=3, loss="normals_l1", metrics=("mean_angle",), weight=10.0)


def edge(**changes: Any) -> Task:
    """Boundaries; labels are 0 and 1, [1, H, W]. On NYUD the positive weight is 0.8: see the loss."""
    loss = "weighted_binary_cross_entropy"
    return _task(changes, name="edge", num_outputs=1, loss=loss, metrics=("ods_f",), weight=50.0)


def depth(**changes: Any) -> Task:
    """Depth, or inverse depth; labels are positive numbers [1, H, W]."""
    return _task(changes, name="depth", num_outputs=1, loss="depth_l1", metrics=("depth_rmse",))


def _task(changes: Mapping[str, Any], **defaults: Any) -> Task:
    return Task(**{"dense": True, **defaults, **changes})


def pascal_context_tasks() -> tuple[Task, ...]:
    """The five tasks of PASCAL-Context as BMTAS trains and reports them (`nas.datasets.pascal`)."""
    return semseg(len(VOC_CLASSES), labels=VOC_CLASSES), human_parts(), sal(), normals(), edge()


def scene_tasks() -> tuple[Task, ...]:
    """The six tasks of rendered scenes (`nas.datasets.scenes`), in the order of its labels; depth is in metres."""
    return (
        semseg(len(SEMSEG_CLASSES), labels=SEMSEG_CLASSES),
        human_parts(name="parts", labels=PARTS),
        depth(metrics=("depth_rmse", "abs_rel", "delta1")),
        normals(),
        edge(),
        sal(),
    )


def nyuv2_tasks() -> tuple[Task, ...]:
    """The three tasks of NYUv2 as MTAN and later papers train and report them (`nas.datasets.npy_layout.NYUv2`).

    All have weight 1, and the loss of normals is the cosine loss. Differs from these papers: they average metrics over
    images or batches; here they are averaged over pixels.
    """
    return (
        semseg(len(NYU_CLASSES), labels=NYU_CLASSES, metrics=("mean_iou", "accuracy")),
        depth(metrics=("depth_mae", "abs_rel")),
        normals(weight=1.0, loss="normals_cosine", metrics=_ANGLES),
    )


def nyuv2_pictures_tasks() -> tuple[Task, ...]:
    """The three tasks of NYUv2 with the weights of AdaShare (`nas.datasets.nyuv2_pictures`)."""
    return (
        semseg(len(NYU_40_CLASSES), labels=NYU_40_CLASSES, metrics=("mean_iou", "accuracy")),
        normals(weight=20.0, loss="normals_cosine", metrics=_ANGLES),
        depth(weight=3.0, metrics=("depth_mae", "abs_rel", "delta1")),
    )


def nyud_tasks() -> tuple[Task, ...]:
    """The four tasks of NYUD_MT as ASTMT and later papers train and report them (`nas.datasets.nyud`).

    Edges weigh 0.8 in their loss. The error of depth is the root of the mean over the pixels of the whole set.
    """
    return (
        semseg(len(NYU_40_CLASSES), labels=NYU_40_CLASSES),
        depth(),
        normals(),
        edge(loss=partial(weighted_binary_cross_entropy, positive_weight=0.8)),
    )


def taskonomy_tasks() -> tuple[Task, ...]:
    """The five tasks of Taskonomy with the weights of AdaShare (`nas.datasets.taskonomy`).

    "depth" is a logarithm, "keypoints" and "edge" are responses in [-1, 1].
    """
    return (
        semseg(len(TASKONOMY_CLASSES), labels=TASKONOMY_CLASSES, metrics=("mean_iou", "accuracy")),
        normals(weight=3.0, loss="normals_cosine"),
        depth(weight=2.0, metrics=("depth_mae",)),
        _task({}, name="keypoints", num_outputs=1, loss="l1", metrics=("mae",), weight=7.0),
        _task({}, name="edge", num_outputs=1, loss="l1", metrics=("mae",), weight=7.0),
    )


def cityscapes_tasks() -> tuple[Task, ...]:
    """The two tasks of Cityscapes as MTAN and later papers train them (`nas.datasets.npy_layout.Cityscapes`).

    "depth" is the inverse depth; its `nas.data.augmentation.LabelKind` is "inverse_depth".
    """
    return (
        semseg(len(CITYSCAPES_CATEGORIES), labels=CITYSCAPES_CATEGORIES, metrics=("mean_iou", "accuracy")),
        depth(metrics=("depth_mae", "abs_rel")),
    )
