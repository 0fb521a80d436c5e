"""Depth as a picture, in one colour map everywhere: near is bright yellow, far is dark blue."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from matplotlib import colormaps
from torch import Tensor

from nas.report.label_view import Pixels, chequered
from nas.tasks.ignore import known_values

DEPTH_COLOURS = "viridis_r"
"""Steps that look equal, in grey as well."""
CLIPPED = (0.005, 0.995)
"""Quantiles between which depths and numbers are shown, so that outliers do not reduce the contrast."""


class DepthRange(NamedTuple):
    """The depths that get the first and the last colour; between them colours follow the logarithm, if asked."""

    near: float
    far: float
    logarithmic: bool = False

    def share(self, values: Tensor) -> Tensor:
        """Where depths lie between near (0) and far (1)."""
        near, far = torch.tensor(self.near), torch.tensor(self.far)
        if self.logarithmic:
            values, near, far = values.log1p(), near.log1p(), far.log1p()
        return ((values - near) / (far - near) if far > near else torch.zeros_like(values)).clamp(0, 1)


def depth_range(maps: Sequence[Tensor]) -> DepthRange:
    """One range for maps [1, H, W]; logarithmic from 0 to above 1, since a room would be all bright beside a street."""
    known = torch.cat([numbers[known_values(numbers)].flatten() for numbers in maps]).float().sort().values
    if not len(known):
        return DepthRange(0.0, 1.0)
    near, far = (known[round(share * (len(known) - 1))].item() for share in CLIPPED)
    return DepthRange(near, far, logarithmic=bool(known[0] >= 0 and known[-1] > 1))


def depth_pixels(maps: Sequence[Tensor], shown: DepthRange) -> list[Pixels]:
    """Maps of depth [1, H, W] in colours, chequered where there is no value."""
    return [chequered(depth_colours(shown.share(numbers[0].float())), known_values(numbers)[0]) for numbers in maps]


def depth_colours(share: Tensor) -> Tensor:
    """Colours [H, W, 3] for shares [H, W]: 0 is near, 1 is far."""
    values: npt.NDArray[np.float32] = share.nan_to_num(0.0).numpy()
    return torch.from_numpy(colormaps[DEPTH_COLOURS](values)[..., :3].astype(np.float32))
