"""The value of a partition at a block, in exact arithmetic."""

import math
from dataclasses import dataclass

import numpy as np

from nas.discretize.chains import MAX_VALUE
from nas.discretize.lattice import Floats, Ints, Lattice

_DIVISIBLE = 840
"""The least number that 1, ..., 8 divide: in this fraction of a unit 1/|G| of a sum is whole."""


@dataclass(frozen=True)
class Objective:
    """value_l(P) = sum over groups G of P  (1/|G|) sum_{s<t in G} d_l(s, t),  as a multiple of a smallest unit.

    The dissimilarities are rounded to multiples of 2^-b times the greatest one, b = 32 for 8 tasks and 18 blocks. After
    that, all numbers are integers for groups of up to 8 tasks, so the order of additions does not matter.

    Args:
        rounded_LTT: whole numbers; symmetric, with a zero diagonal.
        unit: a value of 1, in units of the dissimilarity.
    """

    rounded_LTT: Floats
    unit: float

    @classmethod
    def of(cls, dissimilarity_LTT: Floats) -> "Objective":
        """Args: finite and symmetric; its diagonal does not count."""
        num_blocks, num_tasks, _ = dissimilarity_LTT.shape
        off_diagonal_LTT = dissimilarity_LTT * ~np.eye(num_tasks, dtype=bool)
        greatest = float(np.abs(off_diagonal_LTT).max()) or 1.0
        # A block's value is at most T/2 of the greatest dissimilarity.
        bits = int(math.log2(2 * MAX_VALUE / (_DIVISIBLE * num_blocks * num_tasks)))
        return cls(np.rint(off_diagonal_LTT / greatest * 2.0**bits), greatest / 2.0**bits / _DIVISIBLE)

    @property
    def rounding(self) -> int:
        """Values of two trees that differ by at most this are a tie, because the rounding of d may explain it.

        A pair in a group of size k has the weight 1/k and an error of up to half a rounding step of d. So the error of
        a block is up to T/4 steps, and that of the difference of two trees up to L T/2 steps.
        """
        num_blocks, num_tasks = len(self.rounded_LTT), len(self.rounded_LTT[0])
        return _DIVISIBLE * num_blocks * num_tasks // 2

    def values(self, lattice: Lattice) -> Ints:
        """value_l(P) for all partitions of a lattice, [L, P]."""
        pairs = np.triu_indices(self.rounded_LTT.shape[1], k=1)
        together_PTT = lattice.labels_PT[:, :, None] == lattice.labels_PT[:, None, :]
        size_PT = together_PTT.sum(axis=2)
        weight_PN = together_PTT[:, *pairs] * (_DIVISIBLE / size_PT[:, pairs[0]])
        # Whole numbers below 2^53 (see MAX_VALUE), so the product in floating point is exact.
        value_LP: Floats = np.rint(self.rounded_LTT[:, *pairs] @ weight_PN.T)
        return value_LP.astype(np.int64)
