"""The layout of PASCAL_MT: the folders that each task needs, and the files of one sample."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nas.data.reading import require_folder
from nas.datasets.pascal.human_parts import PERSON
from nas.errors import InputError
from nas.files import read_json

FOLDERS: dict[str, tuple[str, ...]] = {
    "semseg": (),
    "human_parts": ("human_parts",),
    "sal": ("sal_distill",),
    "normals": ("normals_distill", "pascal-context/trainval"),
    "edge": ("pascal-context/trainval",),
}
"""By task, the folders that it needs; "semseg" needs one of `SEMSEG_FOLDERS` instead."""

SEMSEG_FOLDERS = ("semseg/VOC12", "semseg/pascal-context")
"""Folders that may have the classes of a sample; the first one that has them is used."""


def require_folders(root: Path, tasks: Collection[str]) -> None:
    """InputError if a folder that these tasks need is missing."""
    require_folder(root, "the folder PASCAL_MT")
    require_folder(root / "JPEGImages", "PASCAL_MT's folder of pictures")
    for task in tasks:
        for folder in FOLDERS[task]:
            require_folder(root / folder, f"PASCAL_MT's folder of labels for {task}")
    if "semseg" in tasks and not any((root / folder).is_dir() for folder in SEMSEG_FOLDERS):
        raise InputError(f"{root}: has neither {' nor '.join(SEMSEG_FOLDERS)}, where labels for semseg have to be")


def read_categories(root: Path) -> dict[str, list[int]]:
    """By id, the categories of a picture's objects from ``ImageSets/Parts`` if it exists; -1 is a small object.

    Raises:
        InputError: a list has another form.
    """
    categories: dict[str, list[int]] = {}
    for name in ("train", "val"):
        path = root / "ImageSets" / "Parts" / f"{name}.txt"
        if not path.exists():
            continue
        listed = read_json(path)
        if not isinstance(listed, dict) or not all(
            isinstance(found, list) and all(type(item) is int for item in found) for found in listed.values()
        ):
            raise InputError(f"{path}: must be a JSON object of ids with lists of categories; repair or remove it")
        categories |= listed
    return categories


@dataclass(frozen=True)
class SampleFiles:
    """The files of one sample."""

    root: Path
    id: str
    may_have_people: bool

    @classmethod
    def of(cls, root: Path, id: str, categories: Mapping[str, list[int]]) -> "SampleFiles":
        return cls(root, id, PERSON in categories.get(id, [PERSON]))

    @cached_property
    def image(self) -> Path:
        # BMTAS's copies in half size are png.
        return self._first(("JPEGImages",), (".jpg", ".png"))

    @cached_property
    def semseg(self) -> Path:
        return self._first(SEMSEG_FOLDERS, (".png",))

    @property
    def human_parts(self) -> Path:
        return self.root / "human_parts" / f"{self.id}.mat"

    @property
    def sal(self) -> Path:
        return self.root / "sal_distill" / f"{self.id}.png"

    @property
    def normals(self) -> Path:
        return self.root / "normals_distill" / f"{self.id}.png"

    @property
    def label_map(self) -> Path:
        return self.root / "pascal-context" / "trainval" / f"{self.id}.mat"

    def needed(self, tasks: Collection[str]) -> list[Path]:
        """All files that these tasks are decoded from."""
        by_task = {
            "semseg": [self.semseg] if "semseg" in tasks else [],
            "human_parts": [self.human_parts] if self.may_have_people else [],
            "sal": [self.sal],
            "normals": [self.normals, self.label_map],
            "edge": [self.label_map],
        }
        return [self.image, *dict.fromkeys(path for task in tasks for path in by_task[task])]

    def _first(self, folders: tuple[str, ...], endings: tuple[str, ...]) -> Path:
        paths = [self.root / folder / f"{self.id}{ending}" for folder in folders for ending in endings]
        return next((path for path in paths if path.is_file()), paths[0])
