"""A network as a `torch.export` program, and as a .pt2 that holds no pickle."""

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
"""What a node of a graph says of itself that a loader needs; the rest names lines and folders of who exported it."""


def trace(module: nn.Module, example: Tensor, *, dynamic_size: bool) -> torch.export.ExportedProgram:
    """The graph of a module of one input, for any batch; for any height and width, too, if asked for.

    Args:
        module: in evaluation mode.
        example: a batch of two or more, from which shapes are learnt.

    Raises:
        InputError: the module's code cannot be traced, or allows no batch but one.
    """
    from torch.export import Dim

    dynamic: dict[int, Any] = {0: Dim("batch", min=1)}
    if dynamic_size:
        # What a named size would have to satisfy in every layer is more than one can write down beforehand.
        dynamic |= {2: Dim.DYNAMIC, 3: Dim.DYNAMIC}
    try:
        with torch.no_grad(), warnings.catch_warnings():
            # Recurrent layers of torch keep a second list of their weights.
            warnings.filterwarnings("ignore", message="The tensor attributes? .*_flat_weights")
            program = torch.export.export(module, (example,), dynamic_shapes=(dynamic,))
    except Exception as error:  # whatever the network's code raises when it is given symbols for sizes
        if "Constraints violated (batch)" in str(error):
            raise InputError(
                "the network cannot be exported: its code turns the size of the batch into a Python number, by "
                "len(x) or int(...) for instance; use x.shape[0], or flatten and unflatten"
            ) from error
        raise InputError(f"the network cannot be exported: {in_one_line(error)}") from error
    return program


def to_bytes(program: torch.export.ExportedProgram, description: Description) -> bytes:
    """The .pt2: torch's own format, less what would have to be unpickled or compiled to be read.

    Left out are the example inputs (a pickle), the guards (Python code, which torch compiles; ranges of sizes are
    checked all the same), and where in whose code each node came from. The program is changed accordingly.

    Raises:
        InputError: the network needs something that `inspect_archive` would refuse.
    """
    for graph in program.graph_module.modules():
        if isinstance(graph, torch.fx.GraphModule):
            for node in graph.graph.nodes:
                node.meta = {key: value for key, value in node.meta.items() if key in _KEPT}
    # There is no public way to leave them out; a reader takes their absence as it takes an empty record.
    program._example_inputs = None
    program._guards_code = []
    buffer = io.BytesIO()
    torch.export.save(program, buffer, extra_files={f"{KEY}.json": description.to_json()})
    data = buffer.getvalue()
    inspect_archive(data, "the exported network")
    return data


def load_program(data: bytes, where: str) -> tuple[Callable[[Tensor], Sequence[Tensor]], Description]:
    """The function and the description in a .pt2, which is inspected before torch reads it.

    Raises:
        InputError: it holds anything that could run code, or is no network that `nas export` wrote.
    """
    description = Description.from_json(inspect_archive(data, where), where)
    try:
        module = torch.export.load(io.BytesIO(data)).module()
    except Exception as error:  # what a damaged program raises depends on where it is damaged
        raise InputError(f"{where}: torch cannot read it: {in_one_line(error)}") from error

    def run(inputs: Tensor) -> Sequence[Tensor]:
        outputs: Sequence[Tensor] = module(inputs)
        return outputs

    return run, description
