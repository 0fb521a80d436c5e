"""Taskonomy as AdaShare, AutoMTL and TreeMTL have it: a JSON file lists the samples of each split."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from nas.data.augmentation.resizing import Resizing
from nas.data.batch import Sample
from nas.datasets.chosen_tasks import chosen_kinds
from nas.datasets.json_splits import JsonSplits
from nas.datasets.taskonomy.decode import COLUMNS, KINDS, decode

SPLIT_FILE = "taskonomy.json"


class TaskonomyLists(JsonSplits):
    """Taskonomy's pictures that a JSON file lists, with the labels of `nas.datasets.taskonomy.decode`.

    Args:
        root: the data folder.
        tasks: which labels are read; the files of others need not be there.
        split_file: the JSON file; ``root/taskonomy.json`` by default.
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
            columns=COLUMNS,
            kinds=chosen_kinds(KINDS, tasks, "TaskonomyLists"),
            architecture=architecture,
            validation=validation,
            seed=seed,
            resize=resize,
        )

    def decode(self, files: Mapping[str, Path]) -> Sample:
        return decode(files, self.kinds)
