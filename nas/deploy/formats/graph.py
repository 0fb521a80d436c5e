"""Formats of one file that holds a traced graph: written, run and compared before the file is kept."""

import logging
from abc import ABC, abstractmethod
from functools import reduce
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nas.deploy import program
from nas.deploy.comparison import TOLERANCE, Deviation, deviations, other_sizes, verification
from nas.deploy.description import Description
from nas.deploy.exportable import ExportableNetwork
from nas.deploy.formats.format import Export, Run
from nas.deploy.samples import as_bytes
from nas.errors import InputError, WorkFailed
from nas.files import make_folder, write_bytes_atomically
from nas.networks.backbone import Backbone

_LOGGER = logging.getLogger(__name__)


class GraphFormat(ABC):
    """A format made of the `torch.export` program of a network; a subclass says how that becomes bytes and back."""

    name: str
    suffix: str
    options = frozenset({"preprocess", "postprocess"})

    @abstractmethod
    def translate(self, traced: torch.export.ExportedProgram, described: Description) -> Any:
        """The program as this format's own object."""

    @abstractmethod
    def to_bytes(self, model: Any, described: Description) -> bytes:
        """The file, with the description inside."""

    @abstractmethod
    def from_bytes(self, data: bytes, where: str) -> tuple[Run, Description]:
        """The function and the description in a file; ``where`` names it in errors."""

    def count(self, model: Any, described: Description) -> tuple[dict[str, int] | None, list[str]]:
        """MACs of the graph by operator, None if they are not known; and the operators that are not counted."""
        return None, []

    def write(self, export: Export, path: Path) -> Description:
        """As `ExportFormat.write`."""
        samples, described = export.samples, export.description
        pixels = samples.pixels if export.preprocess else None
        module = ExportableNetwork(export.network, described.tasks, pixels=pixels, give_answers=export.postprocess)
        described = described.model_copy(
            update={
                "answers": export.postprocess,
                "input": described.input.model_copy(update={"takes_pixels": export.preprocess}),
            }
        )
        inputs = as_bytes(samples.inputs, pixels) if pixels else samples.inputs
        data, described = self.export(module, inputs, samples.origin, described)
        make_folder(path.parent)
        export.on_verified()
        self.write_file(path, data, described)
        return described

    def load(self, path: Path, backbone: Backbone | None) -> tuple[Run, Description]:
        """As `ExportFormat.load`; a graph needs no backbone."""
        try:
            data = path.read_bytes()
        except MemoryError:
            raise InputError(f"{path}: has {path.stat().st_size / 2**30:.1f} GiB, more than fit into memory") from None
        return self.from_bytes(data, str(path))

    def write_file(self, path: Path, data: bytes, described: Description) -> None:
        """Write a file that `export` has verified; it has its name only if it can be read again.

        Raises:
            InputError: the file cannot be written. WorkFailed: what the disk gives back is not what was written.
        """

        def verify(hidden: Path) -> None:
            _, found = self.from_bytes(hidden.read_bytes(), str(path))
            if found != described:
                raise WorkFailed(f"{path}: cannot be read as it was written")

        write_bytes_atomically(path, data, verify=verify)

    def export(
        self, module: ExportableNetwork, inputs: Tensor, origin: str, described: Description
    ) -> tuple[bytes, Description]:
        """The file's bytes, and its description with what was verified.

        Free in height and width if the network allows it: if it can be traced so, and what was written gives the
        network's outputs at other sizes, too. Otherwise free in the batch only.

        Args:
            module: with the pre- and post-processing that is wanted.
            inputs: samples [n, ...] to compare on, as the module takes them.
            origin: what they are, in words.
            described: the tasks, tree and input; ``dynamic_size`` and ``verified`` are filled in here.

        Raises:
            InputError: the network cannot be traced or translated.
            WorkFailed: what was written gives other outputs than the network.
        """
        if len(described.input.shape) == 3:
            try:
                return self._export(module, inputs, origin, described, dynamic_size=True)
            except (InputError, WorkFailed) as error:
                # Of one size it may work, and says what is wrong if it does not.
                _LOGGER.warning("height and width are fixed, because an export for other sizes failed: %s", error)
        return self._export(module, inputs, origin, described, dynamic_size=False)

    def _export(
        self, module: ExportableNetwork, inputs: Tensor, origin: str, described: Description, *, dynamic_size: bool
    ) -> tuple[bytes, Description]:
        described = described.model_copy(
            update={"input": described.input.model_copy(update={"dynamic_size": dynamic_size})}
        )
        traced = program.trace(module, inputs[[0, -1]], dynamic_size=dynamic_size)
        model = self.translate(traced, described)
        run, _ = self.from_bytes(self.to_bytes(model, described), "the exported network")
        found = [_compare(module, described, run, batch) for batch in (inputs, inputs[:1])]
        if dynamic_size:
            for batch in other_sizes(inputs):
                _compare(module, described, run, batch)
        joined = {name: reduce(Deviation.joined, (one[name] for one in found)) for name in described.names}
        # Last, so that an attempt with free sizes that is given up says nothing of MACs, which the next one may count.
        macs, apart = self.count(model, described)
        described = described.model_copy(update={"verified": verification(joined, len(inputs), origin, macs, apart)})
        return self.to_bytes(model, described), described


@torch.no_grad()
def _compare(module: ExportableNetwork, described: Description, run: Run, batch: Tensor) -> dict[str, Deviation]:
    try:
        outputs = run(batch)
    except Exception as error:  # onnxruntime's and torch's own errors, of an operator that does not run at this size
        raise WorkFailed(
            f"the exported network does not run on inputs of shape {list(batch.shape)}: {error}"
        ) from error
    found = deviations(
        described.tasks,
        module.outputs(batch),
        dict(zip(described.names, outputs, strict=True)),
        are_answers=module.give_answers,
    )
    for name, deviation in found.items():
        if not deviation.acceptable:
            raise WorkFailed(
                f"the exported network's output {name} differs by {deviation.difference:.3g} on inputs of shape "
                f"{list(batch.shape)}, more than {TOLERANCE:g} of its largest output {deviation.scale:.3g}"
            )
    return found
