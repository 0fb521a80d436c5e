"""Edges of a map of classes, one pixel thin."""

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]

# Rows and columns to the neighbours x1 to x8 of a pixel: from the right one, counter-clockwise.
_NEIGHBOURS = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))


def class_edges(classes_HW: npt.NDArray[np.integer]) -> Mask:
    """Where ``thin(|Laplacian(classes)| > 0)``, the edges that PASCAL-Context's multi-task papers learn.

    The Laplacian is the 5-point one, with the picture mirrored about its border pixels; it is computed in 64 bits,
    where class numbers above 255 stay apart.
    """
    padded = np.pad(classes_HW.astype(np.int64), 1, mode="reflect")
    beside = padded[1:-1, :-2] + padded[1:-1, 2:]
    above_and_below = padded[:-2, 1:-1] + padded[2:, 1:-1]
    return thin(beside + above_and_below != 4 * padded[1:-1, 1:-1])


def thin(mask_HW: Mask) -> Mask:
    """Thin what is true to lines of one pixel, which keep its 8-connected components, holes and ends.

    Pixels are deleted in parallel, in two alternating passes, until none is left to delete. A pixel goes if its
    neighbours x1 to x8 (from the right one, counter-clockwise; x9 = x1; false beyond the border) fulfil

        G1   exactly one i in 1..4 has x_(2i-1) false, and x_(2i) or x_(2i+1) true
        G2   2 <= min(sum_i (x_(2i-1) or x_(2i)), sum_i (x_(2i) or x_(2i+1))) <= 3
        G3   in the first pass   not ((x2 or x3 or not x8) and x1)
             in the second pass  not ((x6 or x7 or not x4) and x5)

    This is algorithm A1 of Guo and Hall (CACM 32(3), 1989) as Lam, Lee and Suen (PAMI 14(9), 1992, page 879) state
    it: MATLAB's ``bwmorph(.., 'thin')`` and scikit-image's ``thin``, with which it agrees on every mask.
    """
    kept_HW = mask_HW.copy()
    while True:
        num_before = np.count_nonzero(kept_HW)
        for deletable in _DELETABLE:
            kept_HW &= ~deletable[_codes(kept_HW)]
        if np.count_nonzero(kept_HW) == num_before:
            return kept_HW


def _codes(mask_HW: Mask) -> npt.NDArray[np.uint8]:
    """For each pixel the number whose bit k-1 is its neighbour x_k."""
    height, width = mask_HW.shape
    padded = np.pad(mask_HW, 1).view(np.uint8)
    codes_HW = np.zeros((height, width), dtype=np.uint8)
    for bit, (row, column) in enumerate(_NEIGHBOURS):
        codes_HW |= padded[1 + row : 1 + row + height, 1 + column : 1 + column + width] << bit
    return codes_HW


def _deletable() -> tuple[Mask, Mask]:
    """For each pass, which of the 256 neighbourhoods lose their pixel."""
    codes = np.arange(256)
    x = {k: (codes >> (k - 1) & 1).astype(bool) for k in range(1, 9)}
    x[9] = x[1]
    crossings = sum((~x[2 * i - 1] & (x[2 * i] | x[2 * i + 1])).astype(int) for i in range(1, 5))
    pairs_from_odd = sum((x[2 * i - 1] | x[2 * i]).astype(int) for i in range(1, 5))
    pairs_from_even = sum((x[2 * i] | x[2 * i + 1]).astype(int) for i in range(1, 5))
    fewer = np.minimum(pairs_from_odd, pairs_from_even)
    both = (crossings == 1) & (fewer >= 2) & (fewer <= 3)
    return both & ~((x[2] | x[3] | ~x[8]) & x[1]), both & ~((x[6] | x[7] | ~x[4]) & x[5])


_DELETABLE = _deletable()
