"""Data sets whose splits are lists of file names in a JSON file, as AdaShare, AutoMTL and TreeMTL have them.

    {"train": [[picture, label, label, ...], ...], "train1": [...], "train2": [...], "test": [...]}

A row lists the files of one sample. "train1" and "train2" are the two halves of "train" on which weights and policy are
trained. AdaShare's paths are relative to the data folder, AutoMTL's to its folder "train" or "test".
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nas.data.augmentation.kinds import LabelKind
from nas.data.augmentation.resizing import Resizing, require_resizing
from nas.data.batch import Sample, SplitName
from nas.data.ids import IdSource, cut_ids, require_disjoint, take_share
from nas.data.reading import require_folder
from nas.errors import InputError
from nas.files import read_json

MAX_BYTES = 2**30
"""The longest split file that is read; Taskonomy's names six files for each of 263,000 pictures, most of them twice."""

ARCHITECTURE = 0.2
"""The default share of "train" for the logits, in files without halves."""


class JsonSplits(IdSource):
    """A data source of samples that a JSON file lists.

    "test" is the file's own. With "train1" and "train2", these are "train" and "architecture", and a random share of
    "train1" becomes "validation". Without them, "train" is cut at random into three (`nas.data.ids.cut_ids`). The id of
    a sample is the path of its picture in the file.

    Differs from AdaShare's code, which has no validation split.

    Args:
        root: the data folder.
        split_file: the JSON file.
        columns: what the files of a row are, in their order; the picture is the first.
        kinds: by task, the kind of its labels.
        architecture: share for the logits; only if the file has no halves, and then `ARCHITECTURE` by default.
        validation: share of "train1", or of "train", above 0 and below 1.
        seed: seed of the random shares.
        resize: resizes pictures and labels of all splits to one size.

    Raises:
        InputError: the folder or the file is missing; the file is not of this form, lacks a list, lists a picture twice
            or in two splits; the first picture of a list is missing; or ``architecture`` is given for a file with
            halves. Errors in the files of a sample are raised when it is read.
    """

    def __init__(
        self,
        root: str | Path,
        split_file: str | Path,
        *,
        columns: Sequence[str],
        kinds: Mapping[str, LabelKind],
        architecture: float | None,
        validation: float,
        seed: int,
        resize: Resizing | None,
    ) -> None:
        require_resizing(resize)
        self.root = require_folder(Path(root).expanduser(), f"the data folder of {type(self).__name__}")
        self.kinds = dict(kinds)
        self.resize = resize
        self._columns = tuple(columns)
        self._rows: dict[str, tuple[str, ...]] = {}
        self._folders: dict[str, Path] = {}
        path = Path(split_file).expanduser()
        lists = read_json(path, max_bytes=MAX_BYTES)
        super().__init__(self._cut(lists, path, architecture, validation, seed))

    def sample(self, id: str) -> Sample:
        folder = self._folders[id]
        files = {column: folder / name for column, name in zip(self._columns, self._rows[id], strict=True)}
        sample = self.decode(files)
        return sample if self.resize is None else self.resize(sample, self.kinds)

    @abstractmethod
    def decode(self, files: Mapping[str, Path]) -> Sample:
        """The sample in the files, which are named by column."""

    def _cut(
        self, lists: Any, path: Path, architecture: float | None, validation: float, seed: int
    ) -> dict[SplitName, tuple[str, ...]]:
        if not isinstance(lists, dict):
            raise InputError(f"{path}: must be a JSON object with the lists 'train' (or 'train1', 'train2') and 'test'")
        halved = "train1" in lists or "train2" in lists
        names = ("train1", "train2", "test") if halved else ("train", "test")
        if missing := [name for name in names if name not in lists]:
            raise InputError(f"{path}: has no list {missing[0]!r}; it has {', '.join(map(repr, lists)) or 'none'}")
        ids = {name: self._read_rows(lists[name], name, path) for name in names}
        if not halved:
            return cut_ids(
                *(ids["train"], ids["test"]),
                architecture=ARCHITECTURE if architecture is None else architecture,
                validation=validation,
                seed=seed,
                where=str(path),
            )
        if architecture is not None:
            raise InputError(f"{path}: its list 'train2' is the split 'architecture'; do not give `architecture`")
        train, held_out = take_share(ids["train1"], validation, name="validation", seed=seed, where=f"{path}: 'train1'")
        splits: dict[SplitName, tuple[str, ...]] = {
            "train": train,
            "architecture": ids["train2"],
            "validation": held_out,
            "test": ids["test"],
        }
        require_disjoint(splits, str(path))
        return splits

    def _read_rows(self, rows: Any, name: str, path: Path) -> tuple[str, ...]:
        """The ids of a list; its rows are remembered."""
        if not isinstance(rows, list) or not rows:
            raise InputError(f"{path}: {name!r} must be a list of at least one row")
        ids: dict[str, None] = {}
        for i, row in enumerate(rows):
            self._check_row(row, f"{path}: {name!r}, row {i}")
            if row[0] in ids:
                raise InputError(f"{path}: {name!r} lists {row[0]!r} twice; remove one")
            ids[row[0]] = None
        folder = self._folder_of(rows[0][0], name, path)
        self._rows |= {row[0]: tuple(row) for row in rows}
        self._folders |= dict.fromkeys(ids, folder)
        return tuple(ids)

    def _check_row(self, row: Any, where: str) -> None:
        if not isinstance(row, list) or len(row) != len(self._columns) or not all(type(name) is str for name in row):
            raise InputError(f"{where} must list {len(self._columns)} files: {', '.join(self._columns)}")
        for name in row:
            if not name or name[0] == "/" or ".." in name.split("/") or "\0" in name:
                raise InputError(f"{where}: {name!r} is not a path below the data folder")

    def _folder_of(self, picture: str, name: str, path: Path) -> Path:
        """The folder that a list's paths are relative to: the one in which its first picture is."""
        half = "test" if name == "test" else "train"
        for folder in (self.root, self.root / half):
            if (folder / picture).is_file():
                return folder
        raise InputError(
            f"{self.root / picture}: no such file, nor below {self.root / half}; the paths in {path} are relative to "
            f"one of these folders"
        )
