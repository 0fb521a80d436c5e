"""The data source: reads CelebA's folders."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from nas.data.augmentation.kinds import LabelKind
from nas.data.augmentation.resizing import Resizing, require_resizing
from nas.data.batch import SPLITS, Sample
from nas.data.ids import IdSource, take_share
from nas.data.reading import read_rgb, require_folder
from nas.datasets.celeba.attributes import ATTRIBUTES, task_name
from nas.datasets.celeba.files import read_attributes, read_partition
from nas.errors import InputError

ATTRIBUTE_FILE = "Anno/list_attr_celeba.txt"
PARTITION_FILE = "Eval/list_eval_partition.txt"
PICTURES = "Img/img_align_celeba"


class CelebA(IdSource):
    """CelebA's aligned pictures [3, 218, 178] in [0, 1]; the label of an attribute is 1 (yes) or 0 (no), float [1].

    "validation" and "test" are those of the data set; a random share of its training pictures is "architecture", and
    the others are "train". Labels are named by `task_name`.

    Args:
        root: the folder with ``Anno``, ``Eval`` and ``Img``.
        attributes: which attributes are labels, by their names in the file.
        architecture: share of the training pictures for the logits, above 0 and below 1.
        seed: seed of the share.
        resize: resizes the pictures of all splits to one size.

    Raises:
        InputError: a folder or file is missing; a file has another form; its two lists name different pictures; or an
            attribute is not in the file. The message names the file and the line. An error in a picture is raised when
            it is read.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        attributes: Sequence[str] = ATTRIBUTES,
        architecture: float = 0.2,
        seed: int = 0,
        resize: Resizing | None = None,
    ) -> None:
        require_resizing(resize)
        self.root = require_folder(Path(root).expanduser(), "CelebA's folder with Anno, Eval and Img")
        self.resize = resize
        require_folder(self.root / PICTURES, "CelebA's folder of aligned pictures")
        table = read_attributes(self.root / ATTRIBUTE_FILE)
        if unknown := [name for name in attributes if name not in table.names]:
            raise InputError(
                f"{self.root / ATTRIBUTE_FILE}: line 2 does not name {unknown[0]!r}; it names {', '.join(table.names)}"
            )
        self._columns = {task_name(name): table.names.index(name) for name in attributes}
        self._rows = table.rows
        self._decisions = table.decisions
        by_split = read_partition(self.root / PARTITION_FILE, table, self.root / ATTRIBUTE_FILE)
        where = f"{self.root / PARTITION_FILE}: partition 0"
        train, logits = take_share(by_split["train"], architecture, name="architecture", seed=seed, where=where)
        by_split |= {"train": train, "architecture": logits}
        super().__init__({split: by_split[split] for split in SPLITS})

    @property
    def kinds(self) -> dict[str, LabelKind]:
        """By task, "none": augmentations do not change the labels."""
        return dict.fromkeys(self._columns, "none")

    def sample(self, id: str) -> Sample:
        image, _ = read_rgb(self.root / PICTURES / id)
        decisions = self._decisions[self._rows[id]]
        labels: dict[str, Tensor] = {
            task: torch.tensor([float(decisions[column])]) for task, column in self._columns.items()
        }
        return (image, labels) if self.resize is None else self.resize((image, labels), self.kinds)
