"""NYUv2 as pictures with a JSON file of splits, as AdaShare, AutoMTL and TreeMTL have it.

    root/nyu_v2_3task.json                       see `nas.datasets.json_splits`; AutoMTL keeps it elsewhere
    root/img/<i>.png                             480 x 640, bytes, RGB
    root/seg/<i>.png                             bytes: 0 to 39, and 255 for none
    root/normal_mask/<i>.png                     bytes, RGB: 2 x / 255 - 1; (255, 255, 255) for none
    root/depth/<i>.npy                           float32, metres; 0 for none

AdaShare's repository has samples of these files, but not the JSON file. Its rows name the four files in this order.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from nas.data.augmentation.kinds import LabelKind
from nas.data.augmentation.resizing import Resizing
from nas.data.batch import Sample
from nas.data.reading import number_map, read_npy, read_pixels, read_rgb
from nas.datasets.chosen_tasks import chosen_kinds
from nas.datasets.class_maps import classes_from_zero
from nas.datasets.json_splits import JsonSplits
from nas.datasets.normals import normals_of_colours

NUM_CLASSES = 40
SPLIT_FILE = "nyu_v2_3task.json"

KINDS: dict[str, LabelKind] = {"semseg": "classes", "normals": "normals", "depth": "depth"}
"""By task, the kind of its labels, which decides how an augmentation changes them."""


class NYUv2Pictures(JsonSplits):
    """NYUv2 with 40 classes, normals and depth (Sun et al., AdaShare, NeurIPS 2020).

    Labels: "semseg", int64 [H, W], 255 where there is none; "normals", unit vectors [3, H, W], zero where there are
    none; "depth", float [1, H, W] in metres, 0 where it was not measured.

    Differs from AdaShare's code: a flip of the picture negates the normals' x (`nas.data.augmentation.RandomFlip`).

    Args:
        root: the data folder.
        tasks: which labels are read; the files of others need not be there.
        split_file: the JSON file; ``root/nyu_v2_3task.json`` by default.
        architecture, validation, seed, resize: see `nas.datasets.json_splits.JsonSplits`.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        tasks: Sequence[str] = tuple(KINDS),
        split_file: str | Path | None = None,
        architecture: float | None = None,
        validation: float = 0.05,
        seed: int = 0,
        resize: Resizing | None = None,
    ) -> None:
        super().__init__(
            root,
            Path(root) / SPLIT_FILE if split_file is None else split_file,
            columns=("picture", *KINDS),
            kinds=chosen_kinds(KINDS, tasks, "NYUv2Pictures"),
            architecture=architecture,
            validation=validation,
            seed=seed,
            resize=resize,
        )

    def decode(self, files: Mapping[str, Path]) -> Sample:
        image, size = read_rgb(files["picture"])
        labels: dict[str, Tensor] = {}
        if "semseg" in self.kinds:
            classes_HW = read_pixels(files["semseg"], ("L", "P"), size)
            labels["semseg"] = classes_from_zero(files["semseg"], classes_HW, NUM_CLASSES)
        if "normals" in self.kinds:
            colours_HW3 = torch.from_numpy(read_pixels(files["normals"], ("RGB",), size))
            labels["normals"] = normals_of_colours(colours_HW3.permute(2, 0, 1))
        if "depth" in self.kinds:
            labels["depth"] = number_map(files["depth"], read_npy(files["depth"]), 1, size)
        return image, labels
