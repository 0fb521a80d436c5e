"""Open exported networks of every format as one kind of callable."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nas.deploy.description import Description, InputRecord, TaskRecord
from nas.deploy.formats import FORMATS, Run, format_of
from nas.deploy.output_kind import answers
from nas.errors import InputError, WorkFailed, in_one_line, machine_failure
from nas.networks.backbone import Backbone


@dataclass(frozen=True)
class ExportedModel:
    """An exported network of any format, opened by `open_model`; it computes on the CPU."""

    path: Path
    description: Description
    _run: Run

    @property
    def tasks(self) -> tuple[TaskRecord, ...]:
        return self.description.tasks

    @property
    def input(self) -> InputRecord:
        return self.description.input

    def __call__(self, batch: Tensor) -> dict[str, Tensor]:
        """Outputs by task, of a batch as the network takes it.

        Args:
            batch: [B, *input.shape], of any height and width if ``input.dynamic_size``; float32, or uint8 if
                ``input.takes_pixels``.

        Raises:
            InputError: the batch is of another type or shape, or the outputs are not what the file says they are.
            WorkFailed: the network does not run on it.
        """
        shape, dtype = tuple(batch.shape), torch.uint8 if self.input.takes_pixels else torch.float32
        wanted = self.input.shape
        fits = len(shape) == len(wanted) + 1 and shape[1] == wanted[0] and shape[0] > 0
        if not fits or (not self.input.dynamic_size and shape[1:] != wanted) or batch.dtype != dtype:
            size = " (height and width may be others)" if self.input.dynamic_size else ""
            raise InputError(
                f"{self.path} takes {dtype} of shape [batch, {', '.join(map(str, wanted))}]{size}; "
                f"found {batch.dtype} of shape {list(shape)}"
            )
        try:
            with torch.inference_mode():
                outputs = list(self._run(batch))
        except Exception as error:  # onnxruntime's and torch's own, of an operator that does not run on this batch
            if machine_failure(error) is not None:
                raise
            raise WorkFailed(
                f"{self.path} does not run on a batch of shape {list(shape)}: {in_one_line(error)}"
            ) from error
        self._check(outputs, len(batch))
        return dict(zip(self.description.names, outputs, strict=True))

    def answers(self, batch: Tensor) -> dict[str, Tensor]:
        """The predictions by task (`nas.deploy.output_kind.answers`), also if the file itself returns raw outputs."""
        outputs = self(batch)
        if self.description.answers:
            return outputs
        return {task.name: answers(task.kind, outputs[task.name]) for task in self.tasks}

    def _check(self, outputs: Sequence[Tensor], batch_size: int) -> None:
        """InputError unless outputs are as the description, which comes from the file, says; drawing relies on it."""
        if len(outputs) != len(self.tasks) or not all(isinstance(output, Tensor) for output in outputs):
            raise InputError(f"{self.path}: its outputs are not one tensor for each of its {len(self.tasks)} tasks")
        for task, output in zip(self.tasks, outputs, strict=True):
            is_map = self.description.answers and task.kind == "classes" and len(task.shape) > 1
            shape = task.shape[1:] if is_map else task.shape
            same = tuple(output.shape[1:]) == shape
            if self.input.dynamic_size and len(shape) > 1:
                same = output.ndim == len(shape) + 1 and (is_map or output.shape[1] == shape[0])
            known = output.is_floating_point()
            if is_map:
                known = output.dtype == torch.int64 and int(output.min()) >= 0 and int(output.max()) < task.num_outputs
            if output.shape[:1] != (batch_size,) or not same or not known:
                raise InputError(
                    f"{self.path}: its {task.name} is {output.dtype} of shape {list(output.shape)}, "
                    "not what it describes"
                )


def open_model(path: str | Path, *, backbone: Backbone | None = None) -> ExportedModel:
    """An exported network in one of `nas.deploy.formats`: the folder of a bundle, a .pt2 or an .onnx.

    Opening one runs no code from it.

    Args:
        path: of the file or folder.
        backbone: of a bundle whose backbone is your own (`load_bundle`).

    Raises:
        InputError: the file does not exist, has another format, or is refused.
    """
    path = Path(path)
    if not (path.is_dir() or path.is_file()):
        raise InputError(f"{path}: no such file")
    format = format_of(path)
    if format is None:
        others = " nor ".join(each.suffix for each in FORMATS.values() if each.suffix)
        raise InputError(f"{path}: neither a bundle (a folder) nor {others}")
    run, description = format.load(path, backbone)
    if description.format != format.name:
        raise InputError(f"{path}: describes itself as {description.format}")
    return ExportedModel(path, description, run)
