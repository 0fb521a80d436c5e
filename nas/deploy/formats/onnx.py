"""An ONNX model, for onnxruntime; its MACs are counted on the graph."""

import logging
from typing import Any

import torch

from nas.deploy import onnx_file
from nas.deploy.description import Description
from nas.deploy.formats.format import Run
from nas.deploy.formats.graph import GraphFormat
from nas.deploy.onnx_macs import count_macs, uncounted
from nas.errors import InputError

_LOGGER = logging.getLogger(__name__)


class Onnx(GraphFormat):
    name, suffix = "onnx", ".onnx"

    def translate(self, traced: torch.export.ExportedProgram, described: Description) -> Any:
        return onnx_file.to_model(traced, described.names, dynamic_size=described.input.dynamic_size)

    def to_bytes(self, model: Any, described: Description) -> bytes:
        return onnx_file.to_bytes(model, described)

    def from_bytes(self, data: bytes, where: str) -> tuple[Run, Description]:
        return onnx_file.load_onnx(data, where)

    def count(self, model: Any, described: Description) -> tuple[dict[str, int] | None, list[str]]:
        try:
            return count_macs(model, described.input.shape), uncounted(model)
        except InputError as error:
            _LOGGER.warning("the cost table's MACs cannot be checked on the exported graph: %s", error)
            return None, []
