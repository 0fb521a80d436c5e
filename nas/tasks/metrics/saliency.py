"""Intersection over union of a foreground, at the best threshold."""

import torch
from torch import Tensor
from torchmetrics import Metric

from nas.tasks.ignore import known_classes
from nas.tasks.labels import YES_OR_NO, accepts
from nas.tasks.metrics.masked import TaskOutputs, are_alike, no_value

THRESHOLDS = tuple(k / 20 for k in range(4, 19))
"""0.2, 0.25, ..., 0.9."""


class MaxMeanIoU(Metric):
    """``max_t mean_i |P_it & Y_i| / |P_it | Y_i|``: the mean over images i of the foreground's IoU, at the threshold t
    for which that mean is largest over the whole set.

    P_it are the pixels whose sigmoid(logit) is above t in `THRESHOLDS`, Y_i the positive ones, both among the pixels
    that hold a value. An image without foreground counts 1 if no foreground is predicted; an image without values is
    left out. As in BMTAS. (Later papers report maxF, which is much larger.) NaN if all values of the set are the same.
    """

    higher_is_better = True
    full_state_update = False
    sums: Tensor
    num_images: Tensor
    num_yes: Tensor
    num_entries: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("sums", torch.zeros(len(THRESHOLDS), dtype=torch.float64), dist_reduce_fx="sum")
        for name in ("num_images", "num_yes", "num_entries"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, outputs: Tensor, labels: Tensor) -> None:
        """Add images: logits and labels of one shape, [n, 1, H, W]."""
        known = known_classes(labels, num_classes=2)
        rows = known.flatten(1).any(1)
        positive = (labels > 0.5) & known
        likely = outputs.sigmoid()
        for i, threshold in enumerate(THRESHOLDS):
            found = (likely > threshold) & known
            shared = (found & positive)[rows].flatten(1).sum(1)
            either = (found | positive)[rows].flatten(1).sum(1)
            # Nothing to find and nothing found.
            shared, either = torch.where(either == 0, 1, shared), either.clamp(min=1)
            self.sums[i] += (shared.double() / either).sum()
        self.num_images += rows.sum()
        self.num_yes += positive.sum()
        self.num_entries += known.sum()

    def compute(self) -> Tensor:
        if are_alike(self.num_yes, self.num_entries):
            return no_value(self.num_yes)
        return (self.sums / self.num_images).max()


@accepts(YES_OR_NO)
def max_mean_iou(task: TaskOutputs) -> MaxMeanIoU:
    """Max-mIoU of a foreground (saliency), see `MaxMeanIoU`."""
    return MaxMeanIoU()
