"""The data source: reads the folder PASCAL_MT."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL

from nas.data.augmentation.kinds import LabelKind
from nas.data.augmentation.resizing import Resizing, require_resizing
from nas.data.batch import Sample
from nas.data.ids import IdSource, cut_ids
from nas.data.reading import read_ids
from nas.datasets.cached_files import fingerprint
from nas.datasets.pascal.cache import DecodedCache
from nas.datasets.pascal.decode import Bytes, decode, to_sample
from nas.datasets.pascal.files import FOLDERS, SampleFiles, read_categories, require_folders
from nas.datasets.pascal.human_parts import drop_absent_people
from nas.errors import InputError

KINDS: dict[str, LabelKind] = {
    "semseg": "classes",
    "human_parts": "classes",
    "sal": "mask",
    "normals": "normals",
    "edge": "mask",
}
"""By task, the kind of its labels, which decides how an augmentation changes them."""

TASKS = tuple(KINDS)


class PascalMT(IdSource):
    """PASCAL-Context with five dense labels, as ASTMT published it (Maninis et al., CVPR 2019).

    A sample is a picture [3, H, W] in [0, 1] in its original size, with these labels:

    =========== ================== =====================================================================
    semseg      int64 [H, W]       0 to 20, VOC's classes; 255 is ignored
    human_parts int64 [H, W]       0 to 6, see `PART_CLASSES`; a picture without people with annotated parts
                                   does not have this label and does not count in the task's loss
    sal         float [1, H, W]    1 where the stored value is above 127, else 0
    normals     float [3, H, W]    unit vectors of 2 x / 255 - 1; zero if the pixel has no normal: its class in LabelMap
                                   is not one of `INDOOR_CLASSES`, or the stored pixel is (255, 255, 255)
    edge        float [1, H, W]    0 or 1: edges of LabelMap's classes, see `class_edges`
    =========== ================== =====================================================================

    ``ImageSets/Context/val.txt`` is the split "test". A random share ``validation`` of ``train.txt`` is "validation", a
    share ``architecture`` of the rest is "architecture" (for the logits), and the remaining ids are "train" (for the
    weights). The splits depend on the ids, the shares and ``seed``, not on the order of the ids in the file.

    Nothing is written below ``root``. Before a sample is requested, only lists of splits and parts are read. If
    ``ImageSets/Parts`` lists a picture (some tools make these files), its list decides whether people are in the
    picture: category 15 is a person, and -1 is an object below the size threshold of the tool.

    Differs from BMTAS's code: that code has no validation split, and its two others are 80 % and 20 % of train.txt. It
    marks missing people and normals by 255. In its copies of half size, normals and saliency are resized with Lanczos'
    filter; here labels are those of the nearest pixel.

    Args:
        root: the folder PASCAL_MT, or BMTAS's PASCAL_MT/resized.
        tasks: which of `TASKS` are read; the folders of other tasks may be missing.
        half_resolution: halve both sides, as in the search of BMTAS.
        architecture, validation: shares, above 0 and below 1.
        seed: seed of the splits.
        cache: a folder outside ``root`` for decoded samples; without it every sample is decoded each time.
        resize: resizes pictures and labels of all splits to one size; the cache keeps the original sizes.

    Raises:
        InputError: a folder or a split file is missing; a split file is empty, not UTF-8 text, or names an id twice; a
            task is unknown; or the cache is inside the data. Errors in the files of a sample are raised when it is
            read.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        tasks: Sequence[str] = TASKS,
        half_resolution: bool = False,
        architecture: float = 0.2,
        validation: float = 0.05,
        seed: int = 0,
        cache: str | Path | None = None,
        resize: Resizing | None = None,
    ) -> None:
        require_resizing(resize)
        if unknown := sorted(set(tasks) - set(FOLDERS)):
            raise InputError(f"PascalMT has no labels for {', '.join(unknown)}; its tasks are {', '.join(TASKS)}")
        self.root = Path(root).expanduser()
        self.tasks = tuple(task for task in TASKS if task in tasks)
        self.half_resolution = half_resolution
        self.resize = resize
        require_folders(self.root, self.tasks)
        lists = self.root / "ImageSets" / "Context"
        super().__init__(
            cut_ids(
                *(sorted(read_ids(lists / "train.txt")), read_ids(lists / "val.txt")),
                architecture=architecture,
                validation=validation,
                seed=seed,
                where=str(lists / "train.txt"),
            )
        )
        self._categories = read_categories(self.root) if "human_parts" in self.tasks else {}
        self._cache = None if cache is None else DecodedCache(self._cache_folder(Path(cache).expanduser()))

    def sample(self, id: str) -> Sample:
        sample = to_sample(self._decoded(id))
        # Small people may vanish when the picture is resized.
        return sample if self.resize is None else drop_absent_people(self.resize(sample, KINDS))

    def _decoded(self, id: str) -> dict[str, Bytes]:
        files = SampleFiles.of(self.root, id, self._categories)
        if self._cache is None:
            return decode(files, self.tasks, self.half_resolution)
        sources = files.needed(self.tasks)
        decoded = self._cache.get(id, sources)
        if decoded is None:
            decoded = decode(files, self.tasks, self.half_resolution)
            self._cache.put(id, sources, decoded)
        return decoded

    def _cache_folder(self, cache: Path) -> Path:
        """The subfolder of the cache for these settings."""
        root = self.root.resolve()
        if cache.resolve().is_relative_to(root):
            raise InputError(f"cache {cache} is inside the data folder {self.root}; name a folder outside of it")
        settings = [str(root), self.tasks, self.half_resolution, np.__version__, PIL.__version__]
        return cache / f"PASCAL_MT-{fingerprint(settings, Path(__file__).parent)}"
