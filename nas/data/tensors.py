"""A data set in memory, in which any sample may lack any label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from nas.data.batch import Batch, Sample
from nas.errors import InputError


@dataclass(frozen=True, eq=False)
class MaskedTensors:
    """N samples as tensors; a batch takes one indexing operation per tensor.

    Args:
        inputs: [N, ...].
        labels: by task, [N, ...]; rows without a label may hold anything and are never returned.
        present: by task, a boolean [N]: the rows that have the label. A task that is left out has all labels.

    Raises:
        InputError: lengths differ, or ``present`` names a task without labels or is not boolean.
    """

    inputs: Tensor
    labels: Mapping[str, Tensor]
    present: Mapping[str, Tensor] = field(default_factory=dict)
    in_memory: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.present) - set(self.labels)):
            raise InputError(
                f"present names the tasks {unknown}, which have no labels; tasks are {sorted(self.labels)}"
            )
        for task, rows in self.present.items():
            if rows.dtype != torch.bool or rows.shape != (len(self),):
                raise InputError(
                    f"present[{task!r}] must be a boolean for each of {len(self)} samples; "
                    f"found {rows.dtype} of shape {list(rows.shape)}"
                )
        for task, label in self.labels.items():
            if len(label) != len(self):
                raise InputError(f"labels[{task!r}] has {len(label)} rows for {len(self)} samples")
        all_rows = torch.ones(len(self), dtype=torch.bool)
        object.__setattr__(self, "present", {task: self.present.get(task, all_rows) for task in self.labels})

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> Sample:
        return self.inputs[index], {
            task: label[index] for task, label in self.labels.items() if self.present[task][index]
        }

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """The batch that `nas.data.collate` makes of the single samples."""
        chosen = torch.as_tensor(indices, dtype=torch.long)
        present = {task: rows[chosen] for task, rows in self.present.items()}
        present = {task: rows for task, rows in present.items() if rows.any()}
        labels = {task: self.labels[task][chosen[rows]] for task, rows in present.items()}
        return Batch(self.inputs[chosen], labels, present)
