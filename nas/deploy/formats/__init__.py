"""Export formats: how a network is written, and opened again.

A format is one file here with an `ExportFormat`, and one line in `FORMATS`. ``nas export --format NAME`` writes with
it, and `nas.deploy.open_model` opens what it wrote by the file's suffix, so ``nas predict`` and ``nas evaluate`` work
on it. A format whose file holds a traced graph is a `nas.deploy.formats.graph.GraphFormat`, which traces, compares and
writes; its fields are functions that turn a program into bytes and back.

    >>> {name: format.suffix for name, format in FORMATS.items()}
    {'bundle': '', 'onnx': '.onnx', 'pt2': '.pt2'}
"""

from pathlib import Path

from nas.deploy.formats.bundle import BundleFormat
from nas.deploy.formats.format import Export, ExportFormat, Run
from nas.deploy.formats.graph import GraphFormat
from nas.deploy.formats.onnx import ONNX
from nas.deploy.formats.pt2 import PT2
from nas.errors import InputError, no_such

FORMATS: dict[str, ExportFormat] = {
    format.name: format
    for format in (
        BundleFormat(),
        ONNX,
        PT2,
    )
}


def find_format(name: str) -> ExportFormat:
    """The format of a name; InputError listing the known ones."""
    if name not in FORMATS:
        raise InputError(no_such("format", name, FORMATS))
    return FORMATS[name]


def format_of(path: Path) -> ExportFormat | None:
    """The format that a file or folder is in, by its suffix; None if there is no such format."""
    suffix = "" if path.is_dir() else path.suffix
    if not path.is_dir() and not suffix:
        return None
    return next((format for format in FORMATS.values() if format.suffix == suffix), None)


__all__ = ["FORMATS", "ONNX", "Export", "ExportFormat", "GraphFormat", "Run", "find_format", "format_of"]
