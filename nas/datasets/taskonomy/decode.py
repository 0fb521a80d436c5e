"""One sample of Taskonomy: from its files to tensors, as AdaShare decodes them."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nas.data.augmentation.kinds import LabelKind
from nas.data.batch import Sample
from nas.data.reading import Array, read_numbers_of_16_bits, read_pixels, read_rgb
from nas.datasets.class_maps import classes_from_one
from nas.datasets.normals import normals_of_colours

NUM_CLASSES = 17

KINDS: dict[str, LabelKind] = {
    "semseg": "classes",
    "normals": "normals",
    # The logarithm of a depth must not be divided by the factor of a zoom: see `log_depth`.
    "depth": "values",
    "keypoints": "values",
    "edge": "values",
}
"""By task, the kind of its labels, which decides how an augmentation changes them."""

COLUMNS = ("picture", *KINDS)
"""The files of a sample, in the order of AdaShare's lists."""

FULL_SCALE = 2**16
TOO_FAR = 64_500
"""Stored depths from this number on are of pixels without a surface."""

STRONGEST_KEYPOINT, STRONGEST_EDGE = 0.005, 0.08
"""Shares of `FULL_SCALE` above which responses are clipped."""


def decode(files: Mapping[str, Path], tasks: Collection[str]) -> Sample:
    """The picture, float [3, H, W] in [0, 1], and the labels of these tasks whose files are named.

    ========= ================ ================================================================================
    semseg    int64 [H, W]     stored 1 to 17, minus 1; 255 where 0 is stored ("uncertain")
    normals   float [3, H, W]  unit vectors of 2 x / 255 - 1; zero where the depth has no value
    depth     float [1, H, W]  log(1 + d) / log(2^16) of the stored d, in 1/512 metre; 0 where d is 0 or from 64,500
    keypoints float [1, H, W]  2 min(x / 2^16, .005) / .005 - 1, in [-1, 1]
    edge      float [1, H, W]  2 min(x / 2^16, .08) / .08 - 1, in [-1, 1]
    ========= ================ ================================================================================

    A label without a file is left out; normals need the file of the depth, too.

    Differs from AdaShare's code: normals have length 1, and classes have equal weights.

    Args:
        files: the paths, by column in `COLUMNS`; only the picture must be there.
        tasks: the names of tasks.

    Raises:
        InputError: a file is missing, damaged, or of another form.
    """
    image, size = read_rgb(files["picture"])
    labels: dict[str, Tensor] = {}
    if "semseg" in tasks and "semseg" in files:
        classes_HW = read_pixels(files["semseg"], ("L", "P"), size)
        labels["semseg"] = classes_from_one(files["semseg"], classes_HW, NUM_CLASSES)
    if "depth" in files and not {"depth", "normals"}.isdisjoint(tasks):
        depth_HW = read_numbers_of_16_bits(files["depth"], size)
        known_HW = depth_HW < TOO_FAR
        if "normals" in tasks and "normals" in files:
            colours_HW3 = torch.from_numpy(read_pixels(files["normals"], ("RGB",), size))
            labels["normals"] = normals_of_colours(colours_HW3.permute(2, 0, 1)) * torch.from_numpy(known_HW)
        if "depth" in tasks:
            labels["depth"] = _label(np.where(known_HW, np.log1p(depth_HW) / np.log(FULL_SCALE), 0))
    for task, strongest in (("keypoints", STRONGEST_KEYPOINT), ("edge", STRONGEST_EDGE)):
        if task in tasks and task in files:
            responses_HW = read_numbers_of_16_bits(files[task], size) / FULL_SCALE
            labels[task] = _label(2 * np.minimum(responses_HW, strongest) / strongest - 1)
    return image, {task: labels[task] for task in KINDS if task in labels}


def _label(numbers_HW: Array) -> Tensor:
    return torch.from_numpy(numbers_HW.astype(np.float32))[None]
