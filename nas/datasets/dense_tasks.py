"""Dense tasks, with one prediction per pixel, as the usual data sets have them.

The default weights are those of BMTAS: 1 for segmentation, 2 for human parts, 5 for saliency, 10 for normals, 50 for
edges, and 1 for depth, which BMTAS does not have. The default metric is the one that papers report. Both can be
changed: ``edge(weight=20, metrics=("ods_f", "binary_f1"))``. The data sources use the same names of tasks.
"""

from collections.abc import Sequence
from typing import Any

from nas.datasets.pascal import PART_CLASSES
from nas.datasets.scenes import PARTS, SEMSEG_CLASSES
from nas.tasks.losses import LossFunction
from nas.tasks.task import Task

VOC_CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "dining table",
    "dog",
    "horse",
    "motorbike",
    "person",
    "potted plant",
    "sheep",
    "sofa",
    "train",
    "tv monitor",
)
"""PASCAL VOC's 20 classes, in the order of their names, after the background."""


NYU_CLASSES = (
    "bed",
    "books",
    "ceiling",
    "chair",
    "floor",
    "furniture",
    "objects",
    "picture",
    "sofa",
    "table",
    "tv",
    "wall",
    "window",
)
"""NYUv2's 13 classes (Couprie et al., ICLR 2013), in the order of their names."""

CITYSCAPES_CATEGORIES = ("flat", "construction", "object", "nature", "sky", "human", "vehicle")
"""Cityscapes' categories in the order of their ids, without "void"."""

_ANGLES = ("mean_angle", "median_angle", "within_11_25", "within_22_5", "within_30")

Metrics = Sequence[Any]
"""Names or functions, as `Task` takes them."""


def semseg(
    num_outputs: int,
    *,
    name: str = "semseg",
    weight: float = 1.0,
    labels: Sequence[str] | None = None,
    metrics: Metrics = ("mean_iou",),
) -> Task:
    """A class for every pixel; labels are integers [H, W]."""
    return Task(
        name=name,
        num_outputs=num_outputs,
        loss="cross_entropy",
        metrics=tuple(metrics),
        weight=weight,
        labels=None if labels is None else tuple(labels),
    )


def human_parts(
    *,
    name: str = "human_parts",
    weight: float = 2.0,
    labels: Sequence[str] = PART_CLASSES,
    metrics: Metrics = ("mean_iou",),
) -> Task:
    """The part of the human body for every pixel; labels are integers [H, W]."""
    return semseg(len(labels), name=name, weight=weight, labels=labels, metrics=metrics)


def sal(*, name: str = "sal", weight: float = 5.0, metrics: Metrics = ("max_mean_iou",)) -> Task:
    """Saliency: whether a pixel belongs to the most prominent objects; labels are 0 and 1, [1, H, W]."""
    return Task(name=name, num_outputs=1, loss="balanced_binary_cross_entropy", metrics=tuple(metrics), weight=weight)


def normals(
    *,
    name: str = "normals",
    weight: float = 10.0,
    loss: str | LossFunction = "normals_l1",
    metrics: Metrics = ("mean_angle",),
) -> Task:
    """Surface normals; labels are unit vectors [3, H, W], x to the right in the image."""
    return Task(name=name, num_outputs=3, loss=loss, metrics=tuple(metrics), weight=weight)


def edge(
    *,
    name: str = "edge",
    weight: float = 50.0,
    loss: str | LossFunction = "weighted_binary_cross_entropy",
    metrics: Metrics = ("ods_f",),
) -> Task:
    """Boundaries; labels are 0 and 1, [1, H, W]. On NYUD the positive weight is 0.8: see the loss."""
    return Task(name=name, num_outputs=1, loss=loss, metrics=tuple(metrics), weight=weight)


def depth(
    *,
    name: str = "depth",
    weight: float = 1.0,
    loss: str | LossFunction = "depth_l1",
    metrics: Metrics = ("depth_rmse",),
) -> Task:
    """Depth, or inverse depth; labels are positive numbers [1, H, W]."""
    return Task(name=name, num_outputs=1, loss=loss, metrics=tuple(metrics), weight=weight)


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


def cityscapes_tasks() -> tuple[Task, ...]:
    """The two tasks of Cityscapes as MTAN and later papers train them (`nas.datasets.npy_layout.Cityscapes`).

    "depth" is the inverse depth; its `nas.data.augmentation.LabelKind` is "inverse_depth".
    """
    return (
        semseg(len(CITYSCAPES_CATEGORIES), labels=CITYSCAPES_CATEGORIES, metrics=("mean_iou", "accuracy")),
        depth(metrics=("depth_mae", "abs_rel")),
    )
