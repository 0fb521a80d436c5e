"""Write a network as ONNX, and load ONNX as a function that onnxruntime runs."""

import logging
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from nas.deploy.description import KEY, Description
from nas.errors import InputError, in_one_line

_LARGEST = 2**31 - 1
"""The largest protobuf message in bytes, and so the largest .onnx with its weights inside."""
_ATTENTION = torch.ops.aten.scaled_dot_product_attention.default
_SYMBOL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def require_onnx() -> tuple[ModuleType, ModuleType]:
    """onnx and onnxruntime; InputError saying what to install if one is missing."""
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401, which torch needs to export
    except ImportError as error:
        raise InputError(f"ONNX needs {error.name}; install it with: pip install 'branched-nas[export]'") from error
    return onnx, onnxruntime


def to_model(program: torch.export.ExportedProgram, names: Sequence[str], *, dynamic_size: bool) -> Any:
    """The ONNX model of a program, with one output per name; free sizes are called batch, height and width.

    Raises:
        InputError: an operator has no translation, or the weights do not fit into one file.
    """
    onnx, _ = require_onnx()
    inputs = "inputs" if "inputs" not in names else "inputs_"
    log = logging.getLogger("torch.onnx")
    level = log.level
    # It warns about optional libraries that are not needed here.
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Warnings about torch's own code.
            warnings.simplefilter("ignore")
            program = program.run_decompositions({_ATTENTION: _attention_in_steps})
            made = torch.onnx.export(program, dynamo=True, verbose=False, external_data=False)
    except Exception as error:  # torch's exporter has a different class of error for each stage
        raise InputError(f"the network cannot be written as ONNX: {in_one_line(error)}") from error
    finally:
        log.setLevel(level)
    assert made is not None
    model = made.model_proto
    if model.ByteSize() > _LARGEST:
        raise InputError("the network has more than 2 GiB of weights, which one .onnx cannot hold; use pt2 or a bundle")
    _name_values(model, [inputs, *names])
    _name_sizes(model, ("batch", "height", "width") if dynamic_size else ("batch",))
    _strip(model)
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise InputError(f"the network cannot be written as ONNX: {in_one_line(error)}") from error
    return model


def _attention_in_steps(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, *rest: Any, **settings: Any
) -> Any:
    """`scaled_dot_product_attention` as products and a softmax, unless the query is (B, heads, N, C).

    torch's exporter translates only queries of these four dimensions.
    """
    if query.dim() == 4:
        return NotImplemented
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        # This operator of torch adds every mask to the logits, also one of booleans.
        attn_mask = torch.where(attn_mask, 0.0, -torch.inf).to(query.dtype)
    steps = torch.ops.aten._scaled_dot_product_attention_math.default
    return steps(query, key, value, attn_mask, *rest, **settings)[0]


def to_bytes(model: Any, description: Description) -> bytes:
    """The .onnx, with the description in its metadata."""
    del model.metadata_props[:]
    model.metadata_props.add(key=KEY, value=description.to_json())
    data: bytes = model.SerializeToString()
    return data


def open_session(data: bytes) -> Any:
    """An onnxruntime session of an .onnx on the CPU, with torch's number of threads; it logs nothing."""
    _, onnxruntime = require_onnx()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def load_onnx(data: bytes, where: str) -> tuple[Callable[[Tensor], Sequence[Tensor]], Description]:
    """Load an .onnx: a function that onnxruntime runs on the CPU, and the description.

    Raises:
        InputError: not ONNX, not written by `nas export`, or its weights are in other files (which could be any file).
    """
    onnx, _ = require_onnx()
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # implementations of protobuf raise different classes
        raise InputError(f"{where}: not an ONNX model, or damaged") from error
    found = [item.value for item in model.metadata_props if item.key == KEY]
    if len(found) != 1:
        raise InputError(f"{where}: not a network that `nas export` wrote, it has no metadata {KEY!r}")
    description = Description.from_json(found[0], where)
    if any(tensor.data_location or tensor.external_data for tensor in _tensors(model)):
        raise InputError(f"{where}: refused, it names other files as its weights")
    if model.functions:
        # Functions may call each other, so that a short file expands to any number of operators.
        raise InputError(f"{where}: refused, it defines functions of its own")
    try:
        session = open_session(data)
    except Exception as error:  # onnxruntime raises many classes, one for each status
        raise InputError(f"{where}: onnxruntime cannot read it: {in_one_line(error)}") from error
    inputs, outputs = [item.name for item in session.get_inputs()], [item.name for item in session.get_outputs()]
    if len(inputs) != 1 or outputs != list(description.names):
        raise InputError(f"{where}: its outputs are {', '.join(outputs)}, not its tasks {', '.join(description.names)}")

    def run(batch: Tensor) -> Sequence[Tensor]:
        return [torch.from_numpy(array) for array in session.run(outputs, {inputs[0]: batch.numpy()})]

    return run, description


def _name_values(model: Any, names: Sequence[str]) -> None:
    """Give the input and the outputs these names; other values in the graph with such a name (``cat``) are renamed."""
    graph = model.graph
    within = {name for node in graph.node for name in node.output} | {tensor.name for tensor in graph.initializer}
    called = {name: f"{name}/within" for name in within.intersection(names)}
    called |= {value.name: name for value, name in zip([*graph.input, *graph.output], names, strict=True)}
    for value in [*graph.input, *graph.output, *graph.value_info, *graph.initializer]:
        value.name = called.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [called.get(name, name) for name in node.input]
        node.output[:] = [called.get(name, name) for name in node.output]


def _name_sizes(model: Any, names: Sequence[str]) -> None:
    """Name the input's free sizes, there and in all sizes that depend on them."""
    free = [dim.dim_param for dim in model.graph.input[0].type.tensor_type.shape.dim if dim.dim_param]
    called = dict(zip(free, names, strict=True))
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = _SYMBOL.sub(lambda symbol: called.get(symbol[0], symbol[0]), dim.dim_param)


def _strip(model: Any) -> None:
    """Remove source lines and folders of the exporting user, which torch stores at every node."""
    for part in [*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output, model.graph]:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


def _tensors(message: Any) -> Iterator[Any]:
    """Every tensor in a protobuf message, wherever it is."""
    waiting = [message]
    while waiting:
        current = waiting.pop()
        if current.DESCRIPTOR.name == "TensorProto":
            yield current
            continue
        for field, value in current.ListFields():
            if field.type == field.TYPE_MESSAGE:
                waiting.extend([value] if hasattr(value, "ListFields") else value)
