"""A `torch.export` program, without any part that would have to be unpickled."""

from typing import Any

import torch

from nas.deploy import program
from nas.deploy.description import Description
from nas.deploy.formats.format import Run
from nas.deploy.formats.graph import GraphFormat


class Pt2(GraphFormat):
    name, suffix = "pt2", ".pt2"

    def translate(self, traced: torch.export.ExportedProgram, described: Description) -> Any:
        return traced

    def to_bytes(self, model: Any, described: Description) -> bytes:
        return program.to_bytes(model, described)

    def from_bytes(self, data: bytes, where: str) -> tuple[Run, Description]:
        return program.load_program(data, where)
