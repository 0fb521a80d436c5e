"""The data source: reads the folder NYUD_MT."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from nas.data.augmentation.kinds import LabelKind
from nas.data.augmentation.resizing import Resizing, require_resizing
from nas.data.batch import Sample
from nas.data.ids import IdSource, cut_ids
from nas.data.reading import read_ids, read_rgb, require_folder
from nas.datasets.chosen_tasks import chosen_kinds
from nas.datasets.nyud.releases import FOLDERS, RELEASES, find_release

KINDS: dict[str, LabelKind] = {"semseg": "classes", "depth": "depth", "normals": "normals", "edge": "mask"}
"""By task, the kind of its labels, which decides how an augmentation changes them."""


class NYUDMT(IdSource):
    """NYUD_MT, whose release is found from the endings of its files (Maninis et al., ASTMT, CVPR 2019).

    A sample is a picture [3, H, W] in [0, 1], with these labels:

    ======= ================ ==============================================================================
    semseg  int64 [H, W]     0 to 39, `nas.datasets.dense_tasks.NYU_40_CLASSES`; 255 where 0 is stored
    depth   float [1, H, W]  metres; 0 where it was not measured
    normals float [3, H, W]  unit vectors; zero where there is none, see `nas.datasets.normals.unit_normals`
    edge    float [1, H, W]  0 to 1
    ======= ================ ==============================================================================

    ``gt_sets/val.txt`` is the split "test". The others are a random partition of ``train.txt``, which does not depend
    on the order of its lines (see `nas.data.ids.cut_ids`).

    Differs from ASTMT's code: it learns "none" as a 41st class; later papers learn 40.

    Args:
        root: the folder NYUD_MT.
        tasks: which labels are read; the folders of others need not be there.
        architecture, validation: shares, above 0 and below 1.
        seed: seed of the splits.
        resize: resizes pictures and labels of all splits to one size.

    Raises:
        InputError: a folder or a split file is missing; a split file is empty or names an id twice; a task is unknown;
            a folder has files of no release; or the folders have files of both. Errors in the files of a sample are
            raised when it is read.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        tasks: Sequence[str] = tuple(KINDS),
        architecture: float = 0.2,
        validation: float = 0.05,
        seed: int = 0,
        resize: Resizing | None = None,
    ) -> None:
        require_resizing(resize)
        self.kinds = chosen_kinds(KINDS, tasks, "NYUDMT")
        self.resize = resize
        self.root = require_folder(Path(root).expanduser(), "the folder NYUD_MT")
        require_folder(self.root / "images", "NYUD_MT's folder of pictures")
        self.release = find_release(self.root, tuple(self.kinds))
        lists = self.root / "gt_sets"
        super().__init__(
            cut_ids(
                *(sorted(read_ids(lists / "train.txt")), read_ids(lists / "val.txt")),
                architecture=architecture,
                validation=validation,
                seed=seed,
                where=str(lists / "train.txt"),
            )
        )

    def sample(self, id: str) -> Sample:
        image, size = read_rgb(self.root / "images" / f"{id}.jpg")
        labels: dict[str, Tensor] = {}
        for task in self.kinds:
            stored = RELEASES[self.release][task]
            labels[task] = stored.read(self.root / FOLDERS[task] / f"{id}{stored.ending}", size)
        return (image, labels) if self.resize is None else self.resize((image, labels), self.kinds)
