"""Molecules as fingerprints with measured effects: Tox21, SIDER and ToxCast (MoleculeNet).

    folder/tox21.npz       X_packed uint8 [N, bits / 8], the fingerprints' bits as numpy.packbits packs them
                           Y int8 [N, T], 1 yes, 0 no, -1 not measured
                           y_names [T]

Each column of Y is a task of yes and no; most molecules lack some labels. Splits are random.
"""

from pathlib import Path

import numpy as np
import torch

from nas.data.batch import SPLITS, SplitName, find_split
from nas.data.reading import read_npz
from nas.data.splits import split_indices
from nas.data.tensors import MaskedTensors
from nas.datasets.columns import task_name
from nas.errors import InputError
from nas.tasks import Task

_SHARES = {"train": 0.6, "architecture": 0.1, "validation": 0.15, "test": 0.15}
_ARRAYS = {"X_packed": ("uint8", 2), "Y": ("int", 2), "y_names": ("str", 1)}
"""By name, the type (without its number of bits, but for X_packed) and the number of dimensions."""


class Molecules:
    """A data source of fingerprints, float [bits] of 0 and 1, with one label [1] for each measured effect.

    Args:
        folder: holds ``<name>.npz``.
        name: "tox21" (12 tasks), "sider" (27), "toxcast" (617), or another file of this form.
        most_tasks: only so many tasks, the first ones; at least 1.
        seed: of the random splits: 60 % train, 10 % architecture, 15 % validation, 15 % test.

    Raises:
        InputError: the file is missing, damaged, or has other arrays; or ``most_tasks`` is below 1.
    """

    def __init__(
        self, folder: str | Path, name: str = "tox21", *, most_tasks: int | None = None, seed: int = 0
    ) -> None:
        self.path = Path(folder).expanduser() / f"{name}.npz"
        if most_tasks is not None and most_tasks < 1:
            raise InputError(f"Molecules: most_tasks is {most_tasks}, must be at least 1")
        arrays = _read(self.path)
        labels_NT, names = arrays["Y"][:, :most_tasks], [str(text) for text in arrays["y_names"][:most_tasks]]
        bits_NF = torch.from_numpy(np.unpackbits(arrays["X_packed"], axis=1)).float()
        self.tasks: tuple[Task, ...] = tuple(
            Task(
                name=task_name(each),
                num_outputs=1,
                loss="binary_cross_entropy",
                metrics=("roc_auc",),
                dense=False,
            )
            for each in names
        )
        measured_NT = torch.from_numpy(labels_NT >= 0)
        labels = torch.from_numpy(labels_NT).float()
        parts = split_indices(len(bits_NF), _SHARES, seed)
        self._splits: dict[SplitName, MaskedTensors] = {
            split: MaskedTensors(
                bits_NF[parts[split]],
                {task.name: labels[parts[split], t, None] for t, task in enumerate(self.tasks)},
                {task.name: measured_NT[parts[split], t] for t, task in enumerate(self.tasks)},
            )
            for split in SPLITS
        }

    def split(self, name: SplitName) -> MaskedTensors:
        return find_split(self._splits, name)


def _read(path: Path) -> dict[str, np.ndarray]:
    arrays = read_npz(path)
    for name, (kind, dims) in _ARRAYS.items():
        if name not in arrays:
            raise InputError(f"{path}: has no array {name!r}")
        if not arrays[name].dtype.name.startswith(kind) or arrays[name].ndim != dims:
            raise InputError(
                f"{path}: {name} holds {arrays[name].dtype} of {arrays[name].ndim} dimensions; it must hold {kind} of "
                f"{dims}"
            )
    sizes = len(arrays["X_packed"]), arrays["Y"].shape, len(arrays["y_names"])
    if sizes[0] != sizes[1][0] or sizes[1][1] != sizes[2]:
        raise InputError(f"{path}: {sizes[0]} fingerprints, labels of shape {list(sizes[1])} and {sizes[2]} names")
    return arrays
