"""Taskonomy as it is downloaded: a folder for each building, and a table of the buildings of each split."""

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from nas.data.augmentation.resizing import Resizing, require_resizing
from nas.data.batch import Sample, SplitName
from nas.data.ids import IdSource, take_share
from nas.data.reading import read_text, require_folder
from nas.datasets.chosen_tasks import chosen_kinds
from nas.datasets.taskonomy.decode import KINDS, decode
from nas.errors import InputError

DOMAINS = {
    "picture": "rgb",
    "semseg": "segment_semantic",
    "normals": "normal",
    "depth": "depth_zbuffer",
    "keypoints": "keypoints2d",
    "edge": "edge_texture",
}
"""By column, the name of its domain, which is that of its folders."""

_NAMES = {**DOMAINS, "semseg": "segmentsemantic"}
"""By column, the domain as it is written in the names of files."""

_VIEW = re.compile(r"point_\d+_view_\d+")
_HALVES = ("train", "val", "test")


class TaskonomyBuildings(IdSource):
    """Taskonomy's buildings, with the labels of `nas.datasets.taskonomy.decode`.

    The two layouts are told apart by the folder ``root/rgb``, which only the second one has:

        root/<building>/<domain>/point_<p>_view_<v>_domain_<domain>.png
        root/<domain>/taskonomy/<building>/point_<p>_view_<v>_domain_<domain>.png

    The table has the columns ``id,train,val,test``, with a building and one 1 in a row, as the data set's authors
    publish it (``splits_taskonomy.zip``). Its training buildings are cut at random into "train" and "architecture", so
    no building is in two splits; those of "val" are "validation". Buildings of the table that are not in the folder,
    and those in the folder that are not in the table, are left out.

    A picture without the file of a label does not have this label. The id of a sample is
    ``<building>/point_<p>_view_<v>``.

    Args:
        root: the data folder.
        tasks: which labels are read; the folders of others need not be there.
        split_file: the table; by default the file ``train_val_test_*.csv`` in ``root``.
        architecture: share of the training buildings for the logits, above 0 and below 1.
        seed: seed of the cut.
        resize: resizes pictures and labels of all splits to one size.

    Raises:
        InputError: a folder or the table is missing; the table has another form; or no building of a split is there.
            Errors in the files of a sample are raised when it is read.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        tasks: Sequence[str] = tuple(KINDS),
        split_file: str | Path | None = None,
        architecture: float = 0.2,
        seed: int = 0,
        resize: Resizing | None = None,
    ) -> None:
        require_resizing(resize)
        self.root = require_folder(Path(root).expanduser(), "Taskonomy's data folder")
        self.kinds = chosen_kinds(KINDS, tasks, "TaskonomyBuildings")
        self.resize = resize
        # Normals are masked by the depth.
        needed = {"picture", *self.kinds, *(("depth",) if "normals" in self.kinds else ())}
        self._columns = tuple(column for column in DOMAINS if column in needed)
        self._by_domain = (self.root / DOMAINS["picture"]).is_dir()
        table = _find_table(self.root) if split_file is None else Path(split_file).expanduser()
        listed = read_table(table)
        found = {half: [name for name in names if self._has(name)] for half, names in listed.items()}
        for half, names in listed.items():
            if not found[half]:
                raise InputError(
                    f"{table}: none of its {len(names)} buildings of {half!r} is in {self.root}; such as "
                    f"{self._folder(names[0], 'picture') if names else half}"
                )
        train, logits = take_share(found["train"], architecture, name="architecture", seed=seed, where=str(table))
        buildings: dict[SplitName, Sequence[str]] = {
            "train": train,
            "architecture": logits,
            "validation": found["val"],
            "test": found["test"],
        }
        super().__init__({split: self._list_ids(names) for split, names in buildings.items()})

    def sample(self, id: str) -> Sample:
        building, view = id.split("/")
        files = {
            column: self._folder(building, column) / f"{view}_domain_{_NAMES[column]}.png" for column in self._columns
        }
        there = {column: path for column, path in files.items() if column == "picture" or path.exists()}
        sample = decode(there, self.kinds)
        return sample if self.resize is None else self.resize(sample, self.kinds)

    def _folder(self, building: str, column: str) -> Path:
        domain = DOMAINS[column]
        return self.root / domain / "taskonomy" / building if self._by_domain else self.root / building / domain

    def _has(self, building: str) -> bool:
        return self._folder(building, "picture").is_dir()

    def _list_ids(self, buildings: Sequence[str]) -> tuple[str, ...]:
        ids: list[str] = []
        for building in buildings:
            for column in self._columns:
                require_folder(self._folder(building, column), f"the folder of {DOMAINS[column]} of {building}")
            pictures = self._folder(building, "picture")
            ending = f"_domain_{_NAMES['picture']}.png"
            views = sorted(path.name.removesuffix(ending) for path in pictures.glob(f"*{ending}"))
            views = [view for view in views if _VIEW.fullmatch(view)]
            if not views:
                raise InputError(f"{pictures}: holds no pictures; they have to be point_<p>_view_<v>{ending}")
            ids.extend(f"{building}/{view}" for view in views)
        return tuple(ids)


def read_table(path: Path) -> Mapping[str, list[str]]:
    """The buildings of "train", "val" and "test" in a table with the columns ``id,train,val,test``, in its order.

    Raises:
        InputError: the file is missing, is not UTF-8 text, has other columns, a row with another number of fields or
            other values than 0 and 1, with more than one 1, or a building twice.
    """
    rows = list(csv.reader(read_text(path, "the buildings of each split").splitlines()))
    if not rows or [name.strip() for name in rows[0]] != ["id", *_HALVES]:
        raise InputError(f"{path}: line 1 must be id,train,val,test; found {','.join(rows[0]) if rows else 'nothing'}")
    buildings: dict[str, list[str]] = {half: [] for half in _HALVES}
    seen: set[str] = set()
    for number, row in enumerate(rows[1:], start=2):
        name, *marks = (field.strip() for field in row) if row else ("",)
        if not name and not marks:
            continue
        if len(marks) != len(_HALVES) or not set(marks) <= {"0", "1"} or marks.count("1") > 1:
            raise InputError(f"{path}: line {number} must be a building and 0 or 1 for each split, with at most one 1")
        if name in seen or not name or "/" in name or name.startswith("."):
            raise InputError(f"{path}: line {number}: {name!r} is there twice, or is not the name of a folder")
        seen.add(name)
        for half, mark in zip(_HALVES, marks, strict=True):
            if mark == "1":
                buildings[half].append(name)
    return buildings


def _find_table(root: Path) -> Path:
    found = sorted(path for path in root.glob("train_val_test_*.csv") if not path.name.startswith("."))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise InputError(f"{root}: must have one table train_val_test_*.csv; found {names}; or name it by `split_file`")
    return found[0]
