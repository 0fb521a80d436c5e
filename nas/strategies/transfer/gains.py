"""What two tasks do to each other by sharing blocks, with errors and in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nas.strategies.confidence import CERTAIN, LIKELY, confidence, grade

Floats = NDArray[np.float64]

NOISE = "cannot be told from noise"

LEVELS = {"certain": CERTAIN, "likely": LIKELY, NOISE: 0.5}
"""How sure a gain is, in words, and the least probability that it has the sign of its mean."""


class Gain(NamedTuple):
    """What a task gains, in percent of its loss: mean and standard deviation.

    >>> gain = Gain(1.94, 0.61)
    >>> str(gain), gain.certainty, Gain(-0.3, 0.8).certainty
    ('+1.9 ± 0.6 %', 'certain', 'cannot be told from noise')
    """

    mean: float
    std: float

    @property
    def certainty(self) -> str:
        """How sure it is that the gain has the sign of its mean: one of `LEVELS`."""
        word = grade(confidence(abs(self.mean), self.std))
        return NOISE if word is None or word == "toss-up" else word

    @property
    def size(self) -> str:
        """``1.9 ± 0.6 %``, without the sign."""
        return f"{abs(self.mean):.1f} ± {self.std:.1f} %"

    @property
    def amount(self) -> str:
        """``+1.9 ± 0.6``."""
        return f"{self.mean:+.1f} ± {self.std:.1f}"

    def __str__(self) -> str:
        return f"{self.amount} %"


@dataclass(frozen=True, eq=False)
class PairEffects:
    """The posterior of the effects of sharing, b in `TransferModel`.

    A task in a group of n tasks gains b / n from each partner, so in a pair it gains half of b.

    Args:
        tasks: names of the T tasks.
        blocks: names of the L blocks.
        mean_LTT: mean in percent, [l, t, s]: what it does to t to share block l with s.
        covariance_TTLL: for each pair [t, s], the covariance of its effects at two blocks.
    """

    tasks: tuple[str, ...]
    blocks: tuple[str, ...]
    mean_LTT: Floats
    covariance_TTLL: Floats

    def gain(self, task: str, partner: str, weights_L: Sequence[float] | Floats) -> Gain:
        """What a task gains from a partner: the sum of the effects of the blocks times the weights, 1 / group size."""
        t, s, weights = self.tasks.index(task), self.tasks.index(partner), np.asarray(weights_L, dtype=float)
        variance = weights @ self.covariance_TTLL[t, s] @ weights
        return Gain(float(weights @ self.mean_LTT[:, t, s]), float(max(variance, 0.0) ** 0.5))

    def as_pair(self, task: str, partner: str, blocks: range) -> Gain:
        """What a task gains if it shares some blocks with a partner alone."""
        weights_L = np.zeros(len(self.blocks))
        weights_L[blocks] = 0.5
        return self.gain(task, partner, weights_L)

    def range_name(self, blocks: range) -> str:
        """``early`` or ``early to late``."""
        first, last = self.blocks[blocks[0]], self.blocks[blocks[-1]]
        return first if first == last else f"{first} to {last}"


def mean_gain(gains: Sequence[Gain], correlation: float) -> Gain:
    """The mean over the tasks, whose errors have this correlation."""
    mean_T, std_T = np.array(gains).T
    variance = (1.0 - correlation) * (std_T**2).sum() + correlation * std_T.sum() ** 2
    return Gain(float(mean_T.mean()), float(variance**0.5 / len(gains)))


def chance_of_all(gains: Sequence[Gain], correlation: float, least: float) -> float:
    """The probability that every task gains at least this much, if all tasks' errors have this correlation below 1.

        P = E_z prod_t Phi((mean_t - least + sqrt(correlation) std_t z) / (sqrt(1 - correlation) std_t))

    with z standard normal. The trapezoidal rule is exact to 1e-6 here, since the integrand is smooth.
    """
    mean_T, std_T = np.array(gains).T
    std_T = np.maximum(std_T, 1e-12)
    z_Z1 = np.linspace(-8.0, 8.0, 641)[:, None]
    weight_Z = np.exp(-0.5 * z_Z1[:, 0] ** 2)
    apart_ZT = (mean_T - least) / std_T + correlation**0.5 * z_Z1
    from scipy.special import ndtr

    chance_Z = ndtr(apart_ZT / (1.0 - correlation) ** 0.5).prod(axis=1)
    return float(chance_Z @ weight_Z / weight_Z.sum())
