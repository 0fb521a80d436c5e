"""Export a network as a `torch.export` program, and as a .pt2 without a pickle."""

import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nas.deploy.description import KEY, Description
from nas.deploy.pt2_archive import inspect_archive
from nas.errors import InputError, in_one_line

_KEPT = ("val",)
"""The metadata of a node that a loader needs; other fields contain source lines and folders of the exporting user."""


def trace(module: nn.Module, example: Tensor, *, dynamic_size: bool) -> torch.export.ExportedProgram:
    """Trace a module with one input for any batch size and, with ``dynamic_size``, any height and width.

    Args:
        module: a module in evaluation mode.
        example: a batch of at least two samples, which gives the other sizes.

    Raises:
        InputError: the module's code cannot be traced, or works for one batch size only.
    """
    from torch.export import Dim

    dynamic: dict[int, Any] = {0: Dim("batch", min=1)}
    if dynamic_size:
        # Named sizes would need constraints for every layer, which are unknown here.
        dynamic |= {2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    try:
        with torch.no_grad(), warnings.catch_warnings():
            # Recurrent layers of torch keep a second list of their weights, which causes this warning.
            warnings.filterwarnings("ignore", message="The tensor attributes? .*_flat_weights")
            program = torch.export.export(module, (example,), dynamic_shapes=(dynamic,))
    except Exception as error:  # the network's code may raise anything if sizes are symbols
        if "Constraints violated (batch)" in str(error):
            raise InputError(
                "the network cannot be exported: its code turns the size of the batch into a Python number, by "
                "len(x) or int(...) for instance; use x.shape[0], or flatten and unflatten"
            ) from error
        raise InputError(f"the network cannot be exported: {in_one_line(error)}") from error
    return program


def to_bytes(program: torch.export.ExportedProgram, description: Description) -> bytes:
    """The .pt2 in torch's own format, without the parts that a reader would unpickle or compile.

    Removed are the example inputs (a pickle), the guards (Python code, which torch compiles; ranges of sizes are still
    checked), and the source location of each node. The program is changed in place.

    Raises:
        InputError: the network needs something that `inspect_archive` would refuse.
    """
    for graph in program.graph_module.modules():
        if isinstance(graph, torch.fx.GraphModule):
            for node in graph.graph.nodes:
                node.meta = {key: value for key, value in node.meta.items() if key in _KEPT}
    # There is no public way to remove them; torch reads an empty record in their place.
    program._example_inputs = None
    program._guards_code = []
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={f"{KEY}.json": description.to_json()})
    data = buffer.getvalue()
    inspect_archive(data, "the exported network")
    return data


def load_program(data: bytes, where: str) -> tuple[Callable[[Tensor], Sequence[Tensor]], Description]:
    """Load a .pt2: a function and the description. The file is inspected before torch reads it.

    Raises:
        InputError: the file has parts that could run code, or was not written by `nas export`.
    """
    description = Description.from_json(inspect_archive(data, where), where)
    try:
        module = torch.export.load(io.BytesIO(data)).module()
    except Exception as error:  # the class depends on where the file is damaged
        raise InputError(f"{where}: torch cannot read it: {in_one_line(error)}") from error

    def run(inputs: Tensor) -> Sequence[Tensor]:
        outputs: Sequence[Tensor] = module(inputs)
        return outputs

    return run, description
