"""Surface normals: from what files hold to unit vectors, zero where there is none."""

import torch
from torch import Tensor

MARK = 255
"""Where all three bytes of a colour are this number, the pixel has no normal."""

SHORTEST, LONGEST = 0.5, 1.5
"""The lengths of vectors that can be normals, stored with rounding or the losses of a JPEG: grey is 0, white 1.7."""


def normals_of_colours(bytes_3HW: Tensor) -> Tensor:
    """Unit vectors of ``2 x / 255 - 1``, float [3, H, W]; zero where all three bytes are 255.

    255 in all channels would be (1, 1, 1), which is not a unit vector, so it can mark pixels without a normal.
    """
    known_HW = (bytes_3HW != MARK).any(0)
    normals_3HW = 2 * bytes_3HW.float() / 255 - 1
    # No other vector is 0, since 127 and 128 are half a step below and above it.
    lengths_HW: Tensor = normals_3HW.norm(dim=0)
    return normals_3HW / lengths_HW * known_HW


def unit_normals(vectors_3HW: Tensor) -> Tensor:
    """The vectors with length 1, float [3, H, W]; zero where the length is not in [`SHORTEST`, `LONGEST`], or NaN.

    For files without a mark that survives: in a JPEG, the pixels without a normal are only nearly grey or white.
    """
    lengths_HW = vectors_3HW.norm(dim=0)
    known_HW = (lengths_HW >= SHORTEST) & (lengths_HW <= LONGEST)
    return torch.where(known_HW, vectors_3HW / lengths_HW, 0.0)
