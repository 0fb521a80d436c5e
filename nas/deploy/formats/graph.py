"""Formats whose file holds a traced graph; it is written, run and compared before the file is kept."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class GraphFormat:
    """A format made from the `torch.export` program of a network.

    Args:
        name, suffix, options: as in `ExportFormat`.
        to_bytes: function of (model, description): the file, with the description inside. The model is what
            ``translate`` returns.
        from_bytes: function of (file, name of the file for messages): the network as a function, and its description.
        translate: function of (program, description): the program as this format's own object.
        count: function of (model, description): MACs of the graph by operator, None if they are not known; and the
            operators that are not counted.
    """

    name: str
    suffix: str
    to_bytes: Callable[[Any, Description], bytes]
    from_bytes: Callable[[bytes, str], tuple[Run, Description]]
    translate: Callable[[torch.export.ExportedProgram, Description], Any] = lambda traced, _: traced
    count: Callable[[Any, Description], tuple[dict[str, int] | None, list[str]]] = lambda *_: (None, [])
    options: frozenset[str] = frozenset({"preprocess", "postprocess"})

    def write(self, export: Export, path: Path) -> Description:
        """As `ExportFormat.write`."""
        samples, described = export.samples, export.description
        pixels = samples.pixels if export.preprocess else None
        module = ExportableNetwork(export.network, described.tasks, pixels=pixels, give_answers=export.postprocess)
        described = described.with_input(takes_pixels=export.preprocess)
        described = described.model_copy(update={"answers": export.postprocess})
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
        """Write a file that `export` has verified; it gets its name after it was read again.

        Raises:
            InputError: the file cannot be written.
            WorkFailed: the file that was read differs from what was written.
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

        Height and width are free if the network can be traced so and the exported network agrees with it at other
        sizes, too. Otherwise only the size of the batch is free.

        Args:
            module: with the pre- and post-processing that is wanted.
            inputs: samples [n, ...] to compare on, as the module takes them.
            origin: where the samples come from, in words.
            described: the description without ``dynamic_size`` and ``verified``, which are filled in here.

        Raises:
            InputError: the network cannot be traced or translated.
            WorkFailed: what was written gives other outputs than the network.
        """
        if len(described.input.shape) == 3:
            try:
                return self._export(module, inputs, origin, described, dynamic_size=True)
            except (InputError, WorkFailed) as error:
                # The export of one size may still work; if it fails, its own error is raised.
                _LOGGER.warning("height and width are fixed, because an export for other sizes failed: %s", error)
        return self._export(module, inputs, origin, described, dynamic_size=False)

    def _export(
        self, module: ExportableNetwork, inputs: Tensor, origin: str, described: Description, *, dynamic_size: bool
    ) -> tuple[bytes, Description]:
        described = described.with_input(dynamic_size=dynamic_size)
        traced = program.trace(module, inputs[[0, -1]], dynamic_size=dynamic_size)
        model = self.translate(traced, described)
        run, _ = self.from_bytes(self.to_bytes(model, described), "the exported network")
        found = [_compare(module, described, run, batch) for batch in (inputs, inputs[:1])]
        if dynamic_size:
            for batch in other_sizes(inputs):
                _compare(module, described, run, batch)
        joined = {name: reduce(Deviation.joined, (one[name] for one in found)) for name in described.names}
        # Last, so that a failed attempt with free sizes logs nothing about MACs, which the next attempt may count.
        macs, apart = self.count(model, described)
        described = described.model_copy(update={"verified": verification(joined, len(inputs), origin, macs, apart)})
        return self.to_bytes(model, described), described


@torch.no_grad()
def _compare(module: ExportableNetwork, described: Description, run: Run, batch: Tensor) -> dict[str, Deviation]:
    try:
        outputs = run(batch)
    except Exception as error:  # errors of onnxruntime and torch, if an operator does not run at this size
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
