"""The meaning of a task's outputs, and how predictions are made from them."""

from collections.abc import Mapping
from typing import Literal

from torch import Tensor
from torch.nn import functional

from nas.tasks import LOSSES, METRICS, Task
from nas.tasks.labels import unwrapped

OutputKind = Literal["classes", "binary", "directions", "depth", "values"]
"""classes     one class of many: logits, [B, num_outputs] for an image or [B, num_outputs, H, W] for its pixels
binary      yes or no for each output: logits
directions  vectors of any length, [B, 3, H, W]
depth       positive numbers, [B, 1, H, W]
values      numbers as they are"""

_LOSSES: dict[OutputKind, tuple[str, ...]] = {
    "classes": ("cross_entropy",),
    "binary": ("binary_cross_entropy", "balanced_binary_cross_entropy", "weighted_binary_cross_entropy"),
    "directions": ("normals_l1", "normals_cosine"),
    "depth": ("depth_l1",),
}
_METRICS: dict[OutputKind, tuple[str, ...]] = {
    "classes": ("accuracy", "f1", "mean_iou"),
    "binary": ("binary_accuracy", "binary_f1", "roc_auc", "max_mean_iou", "ods_f"),
    "directions": ("mean_angle", "median_angle", "within_11_25", "within_22_5", "within_30"),
    "depth": ("depth_rmse", "depth_mae", "abs_rel", "delta1"),
}
_LEAST_LENGTH = 1e-6
"""A shorter vector counts as having no direction."""


def output_kind(task: Task) -> OutputKind:
    """The kind of outputs by the task's loss or, if that is the user's own function, by the main metric; else "values".

    With a single output, accuracy and F1 mean "binary".
    """
    loss = _name(task.loss, LOSSES)
    name, kinds = (loss, _LOSSES) if loss else (_name(task.metrics[0], METRICS), _METRICS)
    kind = next((kind for kind, names in kinds.items() if name in names), None)
    return "binary" if kind == "classes" and task.num_outputs == 1 else kind or "values"


def answers(kind: OutputKind, outputs: Tensor) -> Tensor:
    """The predictions (answers) from a task's outputs.

    classes     for pixels ``argmax``, int64 [B, H, W]; for an image ``softmax``, [B, num_outputs]
    binary      ``sigmoid``
    directions  vectors of length one
    depth, values    unchanged
    """
    if kind == "classes":
        return outputs.argmax(1) if outputs.ndim > 2 else outputs.softmax(1)
    if kind == "binary":
        return outputs.sigmoid()
    return functional.normalize(outputs, dim=1, eps=_LEAST_LENGTH) if kind == "directions" else outputs


def is_map(kind: OutputKind, answer: Tensor) -> bool:
    """Whether a prediction, without the batch dimension, has a value for every pixel of a picture."""
    return answer.ndim == (2 if kind == "classes" else 3)


def _name(given: object, known: Mapping[str, object]) -> str | None:
    """The name of a loss or metric that is given by name, as the function, or as a partial of it."""
    return next((name for name, value in known.items() if unwrapped(given) in (name, value)), None)
