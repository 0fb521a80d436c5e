"""How sure a search is of a tree: the probability that it beats the second-best tree, and a grade in words."""

import math
from typing import Literal

Grade = Literal["certain", "likely", "toss-up"]

CERTAIN = 0.95
"""The level of the intervals of `nas compare`: one in twenty such trees is not the best one."""

LIKELY = 0.75
"""Half-way between a coin that is tossed (0.5) and certainty (1): odds of three to one."""


def confidence(gap: float, noise: float | None, degrees: int | None = None) -> float | None:
    """The probability that the true gap between two trees is above 0, for a normally distributed error; 0.5 for a tie.

        P = Phi(gap / noise),   or by Student's t with n - 1 degrees of freedom if the noise is known from n seeds only

    Args:
        gap: the measured gap, 0 or more.
        noise: its standard deviation; None if it is not known, which gives None.
        degrees: degrees of freedom of the noise; None if it is known well.

    >>> round(confidence(0.2, 0.1), 3), round(confidence(0.2, 0.1, degrees=2), 3)
    (0.977, 0.908)
    """
    if noise is None:
        return None
    if noise == 0:
        return 1.0 if gap > 0 else 0.5
    if degrees is None:
        return 0.5 * math.erfc(-gap / noise / math.sqrt(2.0))
    from scipy.special import stdtr

    return float(stdtr(degrees, gap / noise))


def grade(probability: float | None) -> Grade | None:
    """A confidence in a word; None has no grade.

    >>> grade(0.96), grade(0.8), grade(0.55), grade(None)
    ('certain', 'likely', 'toss-up', None)
    """
    if probability is None:
        return None
    return "certain" if probability >= CERTAIN else "likely" if probability >= LIKELY else "toss-up"
