"""Exported networks: a bundle, ONNX or a `torch.export` program, each verified, and each safe to open.

    retrained checkpoint -> BranchedNetwork -> sub_network of some tasks -> ExportableNetwork (pre-, post-processing)
        -> a format of `nas.deploy.formats`: written, run, compared (.onnx, .pt2, or a bundle of safetensors and JSON)

All formats contain the same `Description`, and `open_model` opens each of them as the same kind of callable. Untrusted
files are validated before loading, and code in them is never run: a bundle is not unpickled and names in it are not
imported, a .pt2 is inspected before torch reads it (`nas.deploy.pt2_archive`), and an .onnx may not name other files.
`nas.limits` has the largest sizes that are accepted. The network in an .onnx may still never end; only ``nas predict
--time-limit`` stops it.

Only ONNX needs onnx, onnxscript and onnxruntime (``pip install 'branched-nas[export]'``); if they are missing, an
`InputError` says so.

>>> import nas
>>> nas.open_model("no/such.onnx")
Traceback (most recent call last):
nas.errors.InputError: no/such.onnx: no such file

An .onnx can be quantised to int8 (`nas.deploy.quantization`). The float model is compared with the network as every
export is. The int8 model's outputs have to be finite, and its metrics are measured beside those of the float model.

Start with `model.open_model` to read exports, and with `nas.commands.export` to write them. `exported_network`
makes an export a module that is evaluated like a trained network, `export_macs` compares its MACs with the predicted
ones, `latency` times parts and networks in the `runtimes` (`onnx_latency` those of onnxruntime), and `time_limit` stops
a call that does not end.
"""

from nas.deploy.bundle import Bundle, is_bundle, load_bundle, write_bundle
from nas.deploy.card import model_card
from nas.deploy.comparison import TOLERANCE, deviations
from nas.deploy.description import Description, InputRecord, Measurement, Pixels, TaskRecord
from nas.deploy.exportable import ExportableNetwork
from nas.deploy.formats import FORMATS, Export, ExportFormat, find_format, format_of
from nas.deploy.model import ExportedModel, open_model
from nas.deploy.output_kind import answers, is_map, output_kind
from nas.deploy.samples import Samples, as_bytes, draw_samples

__all__ = [
    "FORMATS",
    "TOLERANCE",
    "Bundle",
    "Description",
    "Export",
    "ExportFormat",
    "ExportableNetwork",
    "ExportedModel",
    "InputRecord",
    "Measurement",
    "Pixels",
    "Samples",
    "TaskRecord",
    "answers",
    "as_bytes",
    "deviations",
    "draw_samples",
    "find_format",
    "format_of",
    "is_bundle",
    "is_map",
    "load_bundle",
    "model_card",
    "open_model",
    "output_kind",
    "write_bundle",
]
