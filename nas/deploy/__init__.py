"""Exported networks: a bundle, ONNX or a `torch.export` program, each verified, and each safe to open.

    retrained checkpoint -> BranchedNetwork -> sub_network of some tasks -> ExportableNetwork (pre-, post-processing)
        -> a format of `nas.deploy.formats`: written, run, compared (.onnx, .pt2, or a bundle of safetensors and JSON)

All say the same of themselves (`Description`), and `open_model` makes the same kind of callable of them. Other people's
files are data: a bundle is never unpickled and imports nothing it names, a .pt2 is inspected before torch
reads it (`nas.deploy.pt2_archive`), an .onnx may not name other files. `nas.limits` says how large files may claim to
be. An .onnx may still be a program without an end, which only ``nas predict --time-limit`` stops.

Only what writes or runs ONNX needs onnx, onnxscript and onnxruntime (``pip install 'branched-nas[export]'``), and
says so where they are missing.
"""

from nas.deploy.backbone_record import BackboneRecord
from nas.deploy.bundle import PICTURE, Bundle, describe_bundle, is_bundle, load_bundle, takes_other_sizes, write_bundle
from nas.deploy.card import model_card
from nas.deploy.comparison import TOLERANCE, Deviation, deviations, verification
from nas.deploy.description import Description, InputRecord, Measurement, Pixels, TaskRecord
from nas.deploy.exportable import ExportableNetwork
from nas.deploy.formats import FORMATS, Export, ExportFormat, find_format, format_of
from nas.deploy.model import ExportedModel, export_graph, open_model, write_graph
from nas.deploy.output_kind import OutputKind, answers, is_map, output_kind
from nas.deploy.samples import Samples, as_bytes, draw_samples

__all__ = [
    "FORMATS",
    "PICTURE",
    "TOLERANCE",
    "BackboneRecord",
    "Bundle",
    "Description",
    "Deviation",
    "Export",
    "ExportFormat",
    "ExportableNetwork",
    "ExportedModel",
    "InputRecord",
    "Measurement",
    "OutputKind",
    "Pixels",
    "Samples",
    "TaskRecord",
    "answers",
    "as_bytes",
    "describe_bundle",
    "deviations",
    "draw_samples",
    "export_graph",
    "find_format",
    "format_of",
    "is_bundle",
    "is_map",
    "load_bundle",
    "model_card",
    "open_model",
    "output_kind",
    "takes_other_sizes",
    "verification",
    "write_bundle",
    "write_graph",
]
