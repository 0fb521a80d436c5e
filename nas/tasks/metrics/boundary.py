"""The boundary F measure at the best threshold for a data set (odsF), and the matching of pixels behind it."""

import math

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_array, hstack
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial import KDTree
from torch import Tensor
from torchmetrics import Metric

from nas.tasks.ignore import known_classes
from nas.tasks.labels import YES_OR_NO, accepts
from nas.tasks.metrics.masked import TaskOutputs, are_alike, no_value
from nas.tasks.metrics.ridges import ridges

NUM_THRESHOLDS = 99
"""0.01, 0.02, ..., 0.99."""
TOLERANCE = 0.0075
"""The largest distance between a predicted and a true pixel, as a share of the image's diagonal."""

Integers = npt.NDArray[np.int64]


class BoundaryF(Metric):
    """``max_t 2 M_t / (P_t + G)`` over 99 thresholds t, all counts summed over the images of the set (odsF).

    P_t is the number of predicted pixels: pixels on a ridge of the logits (`ridges`) with sigmoid(logit) >= t. G is the
    number of true pixels. M_t is the largest number of pairs of a predicted and a true pixel within the tolerance, with
    no pixel in two pairs. The measure is the harmonic mean of precision M_t / P_t and recall M_t / G of the Berkeley
    benchmark (Martin et al., PAMI 2004) with one annotation per image. Pixels without a label are neither predicted nor
    true. NaN if all labels are the same.

    Differs from the MATLAB tools (of BSDS500 and seism), so compare results with theirs to a percent at best:

    - Their M_t comes from an assignment of least total distance with random outliers, and is slightly smaller.
    - Logits are thinned once, by the non-maximum suppression of `ridges`. They use Dollár's, followed by morphological
      thinning at each threshold, so bands of equal logits stay wider here.
    - True edges are not thinned, the border has no special treatment, and thresholds are not interpolated.

    Args:
        tolerance: largest distance of a pair, as a share of the image's diagonal. If that is below 1 pixel (for 0.0075,
            a diagonal under 133), only equal positions make a pair.
    """

    higher_is_better = True
    full_state_update = False
    num_pairs: Tensor
    num_predicted: Tensor
    num_true: Tensor
    num_known: Tensor

    def __init__(self, tolerance: float = TOLERANCE) -> None:
        super().__init__()
        self.tolerance = tolerance
        for name in ("num_pairs", "num_predicted"):
            self.add_state(name, torch.zeros(NUM_THRESHOLDS, dtype=torch.int64), dist_reduce_fx="sum")
        for name in ("num_true", "num_known"):
            self.add_state(name, torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, outputs: Tensor, labels: Tensor) -> None:
        """Add images: logits and labels of one shape, [n, 1, H, W]. The matching runs on the CPU.

        It takes 0.1 to 1 s for 512 x 512 pixels on one core; the less certain the logits, the longer.
        """
        known = known_classes(labels, num_classes=2)
        true = (labels > 0.5) & known
        thresholds = torch.arange(1, NUM_THRESHOLDS + 1, device=outputs.device) / (NUM_THRESHOLDS + 1)
        # The number of thresholds that a pixel reaches; with 0, it is never a boundary.
        reached = torch.bucketize(outputs.float().sigmoid(), thresholds, right=True) * known
        reached = torch.where(ridges(outputs.float()), reached, 0)
        radius = self.tolerance * math.hypot(*outputs.shape[-2:])
        for predicted_HW, true_HW in zip(reached[:, 0].cpu().numpy(), true[:, 0].cpu().numpy(), strict=True):
            found = predicted_HW[predicted_HW > 0]
            paired = pair_up(np.argwhere(predicted_HW > 0), found, np.argwhere(true_HW), radius)
            self.num_predicted += self._at_least(found)
            self.num_pairs += self._at_least(found[paired])
        self.num_true += true.sum()
        self.num_known += known.sum()

    def compute(self) -> Tensor:
        if are_alike(self.num_true, self.num_known):
            return no_value(self.num_true)
        return (2 * self.num_pairs / (self.num_predicted + self.num_true).clamp(min=1)).max()

    def _at_least(self, reached: Integers) -> Tensor:
        """For each threshold, the number of pixels that reach it."""
        counts = np.bincount(reached, minlength=NUM_THRESHOLDS + 1)[1:]
        return torch.from_numpy(counts[::-1].cumsum()[::-1].copy()).to(self.num_predicted.device)


@accepts(YES_OR_NO)
def ods_f(task: TaskOutputs) -> BoundaryF:
    """The boundary F measure with the usual tolerance, see `BoundaryF`; for NYUD ``lambda task: BoundaryF(0.011)``."""
    return BoundaryF()


def pair_up(points: Integers, weights: Integers, others: Integers, radius: float) -> Integers:
    """Match points with others within the radius, each at most once; return the indices of the matched points.

    The matching has the greatest total weight of points. Sets of points that can be matched together are the
    independent sets of a matroid. So for every w, it also matches as many points of weight >= w as any matching of
    those points alone: one matching serves all thresholds.

    Args:
        points: [p, 2].
        weights: [p], positive.
        others: [q, 2].
        radius: largest distance of a pair.
    """
    if len(points) == 0 or len(others) == 0:
        return np.zeros(0, dtype=np.int64)
    near = KDTree(points).sparse_distance_matrix(KDTree(others), radius, output_type="ndarray")
    rows, row = np.unique(near["i"], return_inverse=True)
    if len(rows) == 0:
        return rows
    shape = len(rows), len(others)
    gains = csr_array((weights[rows][row].astype(np.float64), (row, near["j"])), shape)
    # SciPy matches every point, so each point gets an additional column of tiny weight, which means "not matched".
    alone = csr_array((np.full(len(rows), 1e-3), (np.arange(len(rows)), np.arange(len(rows)))))
    matched, partner = min_weight_full_bipartite_matching(hstack([gains, alone], format="csr"), maximize=True)
    return rows[matched[partner < len(others)]]
