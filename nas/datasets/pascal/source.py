"""The data source: PASCAL_MT, read as it lies on the disk."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL

from nas.data.augmentation.kinds import LabelKind
from nas.data.augmentation.resizing import Resizing, require_resizing
from nas.data.batch import Sample, SplitName
from nas.data.ids import IdSplits, SamplesById
from nas.data.pixels import PixelScale
from nas.data.reading import read_ids
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
"""By task, what its labels are to an augmentation."""

TASKS = tuple(KINDS)


class PascalMT:
    """PASCAL-Context with five dense labels, as ASTMT published it (Maninis et al., CVPR 2019).

    A sample is a picture [3, H, W] in [0, 1], of the size that it has, and

    =========== ================== =====================================================================
    semseg      int64 [H, W]       0 to 20, VOC's classes; 255 is ignored
    human_parts int64 [H, W]       0 to 6, see `PART_CLASSES`; a picture without anybody whose parts are
                                   annotated has no such label, so it takes no part in that task's loss
    sal         float [1, H, W]    1 where the stored value is above 127, else 0
    normals     float [3, H, W]    unit vectors of 2 x / 255 - 1; zero where there is none: where the class in LabelMap
                                   is not one of `INDOOR_CLASSES`, and where the stored pixel is (255, 255, 255)
    edge        float [1, H, W]    0 or 1: edges of LabelMap's classes, see `class_edges`
    =========== ================== =====================================================================

    ``ImageSets/Context/val.txt`` is "test". Of ``train.txt``, at random, the share ``validation`` is "validation"; the
    share ``architecture`` of the rest is for the logits, and what is left for the weights. The cut depends on the
    ids, the shares and ``seed``, not on the order in which the file lists them.

    Nothing is written below ``root``; nothing but split and part lists is read before samples are asked for. If
    ``ImageSets/Parts`` lists a picture (others make these files), it decides whether a person is in it: its list
    names category 15, and has -1 for people that were too small for the threshold it was made with.

    Differs from BMTAS's code: that has no validation split, and the two others are 80 % and 20 % of train.txt; it marks
    people and normals that are missing by 255; and its copies in half size have normals
    and saliency resized by Lanczos' filter, where labels are the nearest pixel's here.

    Args:
        root: the folder PASCAL_MT, or BMTAS's PASCAL_MT/resized.
        tasks: which of `TASKS` are read; the folders of others need not be there.
        half_resolution: halve both sides, as BMTAS searches.
        architecture, validation: shares, above 0 and below 1.
        seed: of the cut.
        cache: a folder outside ``root`` for decoded samples; without it they are decoded every time.
        resize: gives the pictures one size, in all splits, with their labels; the cache has them as they were before.

    Raises:
        InputError: a folder or a split file is missing, a split file is empty, names an id twice or is no UTF-8 text, a
            task is unknown, or the cache is inside the data. What is wrong with a sample's files is told when
            it is read.
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
        self._splits = IdSplits.cut(
            sorted(read_ids(lists / "train.txt")),
            read_ids(lists / "val.txt"),
            architecture=architecture,
            validation=validation,
            seed=seed,
            where=str(lists / "train.txt"),
        )
        self._categories = read_categories(self.root) if "human_parts" in self.tasks else {}
        self._cache = None if cache is None else DecodedCache(self._cache_folder(Path(cache).expanduser()))

    @property
    def pixel_scale(self) -> PixelScale:
        return PixelScale.unit(3)

    def split(self, name: SplitName) -> SamplesById:
        return SamplesById(self._splits.of(name), self.sample)

    def describe_splits(self) -> dict[str, list[str]]:
        """The ids of every split, as plain data for a record."""
        return self._splits.describe()

    def sample(self, id: str) -> Sample:
        """The sample of an id.

        Raises:
            InputError: a file is missing, damaged, or not of the form above.
        """
        sample = to_sample(self._decoded(id))
        # People may vanish when the picture shrinks.
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
        """A folder of its own for these settings, this code, and the libraries whose results are stored."""
        root = self.root.resolve()
        if cache.resolve().is_relative_to(root):
            raise InputError(f"cache {cache} is inside the data folder {self.root}; name a folder outside of it")
        settings = [str(root), self.tasks, self.half_resolution, np.__version__, PIL.__version__]
        digest = hashlib.sha256(json.dumps(settings).encode())
        for source in sorted(Path(__file__).parent.glob("*.py")):
            digest.update(source.read_bytes())
        return cache / f"PASCAL_MT-{digest.hexdigest()[:16]}"
