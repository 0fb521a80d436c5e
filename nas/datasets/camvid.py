"""CamVid in the split and 11 classes of SegNet's tutorial, with two derived tasks.

    root/{train,val,test}/images/<name>.jpg or .png
    root/{train,val,test}/labels/<name>.png             0 to 10, and 11 where there is none

Only the classes are drawn by people. The other two tasks are derived from them, and so can be learned from the same
features: "boundary", pixels where the class changes, and "distance", how far a pixel is from the nearest boundary.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch import Tensor

from nas.data.augmentation.geometry import IGNORED_CLASS
from nas.data.augmentation.kinds import LabelKind
from nas.data.batch import Sample
from nas.data.ids import IdSource, take_share
from nas.data.reading import read_picture, require_folder, require_size
from nas.datasets.dense_tasks import edge, semseg
from nas.errors import InputError
from nas.tasks import Task

CLASSES = (
    "sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "cyclist",
)  # fmt: skip
KINDS: dict[str, LabelKind] = {"semseg": "classes", "boundary": "mask", "distance": "values"}
_ENDINGS = (".jpg", ".png")


def camvid_tasks() -> tuple[Task, ...]:
    """Classes, their boundaries, and the distance to them; the last two are derived from the first."""
    return (
        semseg(len(CLASSES), labels=CLASSES, metrics=("mean_iou", "accuracy")),
        edge(name="boundary", loss="balanced_binary_cross_entropy", metrics=("binary_f1",), weight=1.0),
        Task(name="distance", num_outputs=1, loss="l1", metrics=("mae",), dense=True),
    )


class CamVid(IdSource):
    """A data source of pictures [3, H, W] in [0, 1]. "semseg" is [H, W], the other labels are [1, H, W].

    Boundary pixels differ in class from the one to the right or below. The distance is in pixels, as
    ``log(1 + distance)``, because most pixels are near a boundary. Both are computed at the size of the samples, after
    classes were resized; pixels without a class have neither.

    Args:
        folder: holds ``train``, ``val`` and ``test``.
        size: height and width of the samples.
        architecture: share of ``train`` that logits are trained on.
        seed: of this random cut.

    Raises:
        InputError: a folder is missing or empty, or a picture has no labels. Errors in a file are raised when it is
            read.
    """

    def __init__(
        self, folder: str | Path, *, size: tuple[int, int] = (72, 96), architecture: float = 0.2, seed: int = 0
    ) -> None:
        self.folder = Path(folder).expanduser()
        self.size = tuple(size)
        self._files = {part: self._list(part) for part in ("train", "val", "test")}
        ids = {part: tuple(f"{part}/{name}" for name in files) for part, files in self._files.items()}
        where = str(self.folder / "train")
        train, logits = take_share(ids["train"], architecture, name="architecture", seed=seed, where=where)
        self._kept: dict[str, tuple[Tensor, Tensor]] = {}
        super().__init__({"train": train, "architecture": logits, "validation": ids["val"], "test": ids["test"]})

    @property
    def tasks(self) -> tuple[Task, ...]:
        return camvid_tasks()

    def sample(self, id: str) -> Sample:
        if id not in self._kept:
            self._kept[id] = self._read(id)
        bytes_3HW, classes_HW = self._kept[id]
        return bytes_3HW.float() / 255, labels_of(classes_HW)

    def _read(self, id: str) -> tuple[Tensor, Tensor]:
        part, name = id.split("/")
        picture = read_picture(self._files[part][name])
        path = self.folder / part / "labels" / f"{name}.png"
        drawn = read_picture(path)
        require_size(f"{path}:", (drawn.height, drawn.width), (picture.height, picture.width))
        if drawn.mode not in ("L", "P"):
            raise InputError(f"{path}: is a picture of mode {drawn.mode}; its pixels have to be class numbers")
        height, width = self.size
        small = picture.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        classes_HW = np.array(drawn.resize((width, height), Image.Resampling.NEAREST)).astype(np.int64)
        if classes_HW.max() > len(CLASSES):
            raise InputError(f"{path}: holds {classes_HW.max()}; classes are 0 to 10, and 11 marks pixels without one")
        classes_HW[classes_HW == len(CLASSES)] = IGNORED_CLASS
        return torch.from_numpy(np.array(small)).permute(2, 0, 1), torch.from_numpy(classes_HW)

    def _list(self, part: str) -> dict[str, Path]:
        folder = require_folder(self.folder / part / "images", "CamVid's folder of pictures")
        require_folder(self.folder / part / "labels", "CamVid's folder of labels")
        found = {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in _ENDINGS}
        if not found:
            raise InputError(f"{folder}: holds no pictures (*.jpg or *.png)")
        for name in found:
            if not (path := self.folder / part / "labels" / f"{name}.png").is_file():
                raise InputError(f"{path}: no such file; it must hold the classes of {found[name]}")
        return found


def labels_of(classes_HW: Tensor) -> dict[str, Tensor]:
    """The three labels of a map of classes.

    >>> labels = labels_of(torch.tensor([[0, 0, 1, 1, 1]]))
    >>> labels["boundary"][0].tolist(), labels["distance"][0].exp().sub(1).round().tolist()
    ([[0.0, 1.0, 0.0, 0.0, 0.0]], [[1.0, 0.0, 1.0, 2.0, 3.0]])
    """
    classes = classes_HW.numpy()
    boundary = np.zeros(classes.shape, dtype=bool)
    boundary[:, :-1] |= classes[:, :-1] != classes[:, 1:]
    boundary[:-1] |= classes[:-1] != classes[1:]
    distance = (
        ndimage.distance_transform_edt(~boundary) if boundary.any() else np.full(classes.shape, max(classes.shape))
    )
    unknown = torch.from_numpy(classes == IGNORED_CLASS)
    return {
        "semseg": classes_HW,
        "boundary": torch.from_numpy(boundary.astype(np.float32)).masked_fill(unknown, IGNORED_CLASS)[None],
        "distance": torch.from_numpy(np.log1p(distance).astype(np.float32)).masked_fill(unknown, float("nan"))[None],
    }
