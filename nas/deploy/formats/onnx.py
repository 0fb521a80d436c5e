"""An ONNX model, for onnxruntime; its MACs are counted on the graph."""

import logging
from typing import Any

from nas.deploy.description import Description
from nas.deploy.formats.graph import GraphFormat
from nas.deploy.onnx_file import load_onnx, to_bytes, to_model
from nas.deploy.onnx_macs import count_macs, uncounted
from nas.errors import InputError

_LOGGER = logging.getLogger(__name__)


def _count(model: Any, described: Description) -> tuple[dict[str, int] | None, list[str]]:
    try:
        return count_macs(model, described.input.shape), uncounted(model)
    except InputError as error:
        _LOGGER.warning("the cost table's MACs cannot be checked on the exported graph: %s", error)
        return None, []


ONNX = GraphFormat(
    *("onnx", ".onnx", to_bytes, load_onnx),
    translate=lambda traced, described: to_model(traced, described.names, dynamic_size=described.input.dynamic_size),
    count=_count,
    options=frozenset({"preprocess", "postprocess", "int8"}),
)
