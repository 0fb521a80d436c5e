"""Exporting a network as a graph, ONNX or .pt2, and comparing what was written with the network before it is kept."""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from nas.data import derive_seed
from nas.deploy import onnx_file, program
from nas.deploy.comparison import TOLERANCE, Deviation, deviations
from nas.deploy.description import Description, Verification
from nas.deploy.exportable import ExportableNetwork
from nas.deploy.onnx_macs import count_macs, uncounted
from nas.errors import InputError, WorkFailed

_LOGGER = logging.getLogger(__name__)

Run = Callable[[Tensor], Sequence[Tensor]]


def export_graph(
    module: ExportableNetwork, inputs: Tensor, origin: str, described: Description
) -> tuple[bytes, Description]:
    """The file's bytes, and its description with what was verified.

    Free in height and width if the network allows it: if it can be traced so, and what was written gives the network's
    outputs at other sizes, too. Otherwise free in the batch only.

    Args:
        module: with the pre- and post-processing that is wanted.
        inputs: samples [n, ...] to compare on, as the module takes them.
        origin: what they are, in words.
        described: the format, tasks, tree and input; ``dynamic_size`` and ``verified`` are filled in here.

    Raises:
        InputError: the network cannot be traced or translated.
        WorkFailed: what was written gives other outputs than the network.
    """
    if len(described.input.shape) == 3:
        try:
            return _export(module, inputs, origin, described, dynamic_size=True)
        except (InputError, WorkFailed) as error:
            # Of one size it may work, and says what is wrong if it does not.
            _LOGGER.warning("height and width are fixed, because an export for other sizes failed: %s", error)
    return _export(module, inputs, origin, described, dynamic_size=False)


def _export(
    module: ExportableNetwork, inputs: Tensor, origin: str, described: Description, *, dynamic_size: bool
) -> tuple[bytes, Description]:
    described = described.model_copy(
        update={"input": described.input.model_copy(update={"dynamic_size": dynamic_size})}
    )
    traced = program.trace(module, inputs[[0, -1]], dynamic_size=dynamic_size)
    if described.format == "onnx":
        model = onnx_file.to_model(traced, described.names, dynamic_size=dynamic_size)
        run, _ = onnx_file.load_onnx(onnx_file.to_bytes(model, described), "the exported network")
    else:
        run, _ = program.load_program(program.to_bytes(traced, described), "the exported network")
    found = [_compare(module, described, run, batch) for batch in (inputs, inputs[:1])]
    if dynamic_size:
        for batch in other_sizes(inputs):
            _compare(module, described, run, batch)
    joined = {name: reduce(Deviation.joined, (one[name] for one in found)) for name in described.names}
    # Last, so that an attempt with free sizes that is given up says nothing of MACs, which the next one may count.
    macs, apart = _count(model, described) if described.format == "onnx" else (None, [])
    described = described.model_copy(update={"verified": verification(joined, len(inputs), origin, macs, apart)})
    if described.format == "onnx":
        return onnx_file.to_bytes(model, described), described
    return program.to_bytes(traced, described), described


def _count(model: Any, described: Description) -> tuple[dict[str, int] | None, list[str]]:
    """MACs by operator, and the operators that are not counted."""
    try:
        return count_macs(model, described.input.shape), uncounted(model)
    except InputError as error:
        _LOGGER.warning("the cost table's MACs cannot be checked on the exported graph: %s", error)
        return None, []


def verification(
    found: dict[str, Deviation],
    num_samples: int,
    origin: str,
    macs: dict[str, int] | None = None,
    uncounted: Sequence[str] = (),
) -> Verification:
    """The record of a comparison; ``macs`` are by operator."""
    return Verification(
        num_samples=num_samples,
        samples=origin,
        deviation={name: deviation.difference for name, deviation in found.items()},
        scale={name: deviation.scale for name, deviation in found.items()},
        macs=None if macs is None else sum(macs.values()),
        macs_by_operator=macs or {},
        uncounted=tuple(uncounted),
    )


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


def other_sizes(inputs: Tensor) -> Iterator[Tensor]:
    """Random inputs like the samples but for their size: one that no stride divides, and a larger one."""
    generator = torch.Generator().manual_seed(derive_seed("other sizes"))
    height, width = inputs.shape[2:]
    for size in ((height + 1, width + 3), (height + 32, width)):
        shape = (2, inputs.shape[1], *size)
        if inputs.dtype == torch.uint8:
            yield torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
        else:
            yield torch.randn(shape, generator=generator)
