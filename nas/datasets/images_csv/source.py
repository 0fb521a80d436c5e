"""`ImagesCsv`: pictures in a folder, with the columns of a table as tasks."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from nas.data.augmentation.kinds import LabelKind
from nas.data.augmentation.resizing import Letterbox, Resize
from nas.data.batch import Sample
from nas.data.ids import IdSource
from nas.data.reading import read_rgb, require_size
from nas.datasets.columns import Column, Stated, Table, column_of, find_table, read_table, split_rows, stated_kinds
from nas.datasets.images_csv.files import find_files, find_image_column, names_pictures
from nas.datasets.images_csv.masks import MaskColumn, mask_column
from nas.errors import InputError
from nas.tasks import Task

Row = dict[str, str | None]
Edit = Callable[[Row], Row | None]


class ImagesCsv(IdSource):
    """A data source of pictures [3, H, W] in [0, 1], whose labels are columns of a table.

    Read samples are kept in memory as bytes, up to ``keep_mib``, so that pictures are decoded once.

    Args:
        folder: holds the table, and the pictures in it or in folders inside.
        targets: the columns that become tasks; a mapping may state what each holds: a `nas.datasets.columns.Kind`,
            "mask", the names of the classes (of a mask, in the order of their numbers), or None to infer it.
        size: height and width to which pictures and masks are resized.
        letterbox: keep the ratio of the sides and pad, instead of stretching. `nas predict` keeps the ratio of each
            picture, so give ``size`` the ratio of your pictures, or letterbox them.
        table: name of the table; by default the only *.csv, *.tsv or *.parquet in the folder.
        image: the column with the names of the pictures; by default the only one besides the targets.
        split: a column that says train, validation or test; by default rows are divided at random.
        group: a column whose equal cells stay in one split, such as the object that several pictures show.
        edit: changes the cells of a row before they are used, and may add cells; a row for which it returns None is
            left out.
        seed: of the random division.
        keep_mib: MiB of samples to keep in memory in each process.

    Raises:
        InputError: a file, column or cell is missing or not of the stated kind, two targets would be one task, two rows
            name one picture, or a split would be empty. Errors in a picture are raised when it is read.
    """

    def __init__(
        self,
        folder: str | Path,
        targets: Sequence[str] | Mapping[str, Stated] = (),
        *,
        size: Sequence[int] = (96, 96),
        letterbox: bool = False,
        table: str | None = None,
        image: str | None = None,
        split: str | None = None,
        group: str | None = None,
        edit: Edit | None = None,
        seed: int = 0,
        keep_mib: int = 1024,
    ) -> None:
        self.folder = Path(folder).expanduser()
        read = read_table(find_table(self.folder, table))
        self.table = read if edit is None else _edited(read, edit)
        kinds = stated_kinds(self.table, targets)
        self._images = self._find_images(image, list(kinds))
        height, width = size
        self._resize = (Letterbox if letterbox else Resize)((height, width))
        rows = split_rows(self.table, split=split, group=group, seed=seed)
        self.columns: dict[str, Column | MaskColumn] = {}
        for name, kind in kinds.items():
            if kind == "mask" or (not isinstance(kind, str) and names_pictures(self.table.column(name))):
                files = find_files(self.folder, self.table, name)
                names = () if isinstance(kind, str) or kind is None else kind
                column: Column | MaskColumn = mask_column(name, files, names)
            else:
                column = column_of(self.table, name, kind, rows["train"])
            self.columns[column.task.name] = column
        self._kept: dict[int, tuple[Tensor, Mapping[str, Tensor]]] = {}
        self._room = keep_mib * 2**20
        names = [path.relative_to(self.folder).as_posix() for path in self._images]
        self._rows = {name: row for row, name in enumerate(names)}
        if len(self._rows) < len(names):
            doubled = next(name for row, name in enumerate(names) if self._rows[name] != row)
            raise InputError(f"{self.table.path}: two rows name the picture {doubled}; a picture is one sample")
        super().__init__({name: tuple(names[row] for row in found) for name, found in rows.items()})

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks, in the order of the targets."""
        return tuple(column.task for column in self.columns.values())

    @property
    def kinds(self) -> dict[str, LabelKind]:
        """By task, the kind of its labels, which decides how an augmentation changes them."""
        return {
            name: column.kind if isinstance(column, MaskColumn) else "none" for name, column in self.columns.items()
        }

    def sample(self, id: str) -> Sample:
        row = self._rows[id]
        if row not in self._kept:
            bytes_3HW, labels = self._read(row)
            size = bytes_3HW.nbytes + sum(label.nbytes for label in labels.values())
            if size > self._room:
                return bytes_3HW.float() / 255, labels
            self._room -= size
            self._kept[row] = bytes_3HW, labels
        kept, known = self._kept[row]
        return kept.float() / 255, dict(known)

    def _read(self, row: int) -> tuple[Tensor, dict[str, Tensor]]:
        image, size = read_rgb(self._images[row])
        labels: dict[str, Tensor] = {}
        for name, column in self.columns.items():
            if isinstance(column, MaskColumn):
                label = column.read(row)
                if label is not None:
                    require_size(f"{column.files[row]}:", label.shape[-2:], size)
            else:
                label = column.labels[row]
            if label is not None:
                labels[name] = label
        small, resized = self._resize((image, labels), self.kinds)
        return (255 * small).round().to(torch.uint8), dict(resized)

    def _find_images(self, column: str | None, targets: Sequence[str]) -> list[Path]:
        name = find_image_column(self.table, targets) if column is None else column
        files = find_files(self.folder, self.table, name)
        if None in files:
            raise InputError(f"{self.table.place(files.index(None))}: column {name!r} names no picture")
        return [path for path in files if path is not None]


def _edited(table: Table, edit: Edit) -> Table:
    edited = [edit({name: cells[row] for name, cells in table.columns.items()}) for row in range(len(table))]
    rows = [row for row in edited if row is not None]
    if not rows:
        raise InputError(f"{table.path}: `edit` leaves out every row")
    lines = [table.lines[i] for i, row in enumerate(edited) if row is not None]
    return Table(table.path, {name: [row[name] for row in rows] for name in rows[0]}, lines)
