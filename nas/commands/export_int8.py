"""The int8 model beside an exported .onnx, with the metrics and latencies of both."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from nas.commands.evaluate import measure_export
from nas.cost import time_calls
from nas.data import SplitName
from nas.deploy import Description, ExportedModel, Measurement, as_bytes, draw_samples, open_model
from nas.deploy.comparison import verification
from nas.deploy.description import Quantization
from nas.deploy.formats import ONNX
from nas.deploy.quantization import check_outputs, quantize
from nas.deploy.samples import draw_calibration
from nas.run.opened_run import OpenRun

NUM_CALIBRATION = 128
"""Training samples that calibrate, by default."""
SPLIT: SplitName = "test"
_NUM_CHECKED = 8
_ROUNDS = 50


def int8_path(path: Path) -> Path:
    """Where the int8 model of an .onnx is written: ``model.int8.onnx`` beside ``model.onnx``."""
    return path.with_suffix(f".int8{path.suffix}")


def write_int8(opened: OpenRun, path: Path, calibration: int) -> Description:
    """Quantise an exported .onnx, measure both models, and write the int8 one beside it.

    The export was compared with the network before. The int8 model is measured instead: its outputs have to be finite,
    and its metrics, which its description has, say what it lost.

    Args:
        path: of the exported model.
        calibration: number of training samples that calibrate.

    Raises:
        InputError: the data cannot be read, or onnxruntime cannot quantise the model.
        WorkFailed: outputs of the int8 model are not finite; it is not written.
    """
    whole = open_model(path)
    inputs = draw_calibration(opened.experiment, calibration)
    model = quantize(path, _taken(whole, inputs))
    described = whole.description.model_copy(update={"verified": None, "measured": None})
    samples = draw_samples(opened.experiment, _NUM_CHECKED)
    with TemporaryDirectory() as folder:
        # Opened and evaluated as any export is, from a file.
        candidate = Path(folder) / path.name
        candidate.write_bytes(ONNX.to_bytes(model, described))
        int8 = open_model(candidate)
        found = check_outputs(whole, int8, _taken(whole, samples.inputs))
        metrics = {each: measure_export(opened, each, SPLIT) for each in (path, candidate)}
        one = _taken(whole, samples.inputs[:1])
        timings = time_calls(
            {"float": lambda: whole(one), "int8": lambda: int8(one)}, device=torch.device("cpu"), rounds=_ROUNDS
        )
    macs, uncounted = ONNX.count(model, described)
    threads = torch.get_num_threads()
    quantized = Quantization(
        num_samples=len(inputs),
        split=SPLIT,
        float_metrics=metrics[path],
        int8_metrics=metrics[candidate],
        device=f"onnxruntime on cpu, {'1 thread' if threads == 1 else f'{threads} threads'}, batches of 1",
        float_ms=timings["float"],
        int8_ms=timings["int8"],
    )
    described = described.model_copy(
        update={
            "measured": Measurement(split=SPLIT, metrics=quantized.int8_metrics),
            "verified": verification(found, len(samples.inputs), samples.origin, macs, uncounted),
            "quantized": quantized,
        }
    )
    ONNX.write_file(int8_path(path), ONNX.to_bytes(model, described), described)
    return described


def _taken(model: ExportedModel, inputs: torch.Tensor) -> torch.Tensor:
    """Inputs [n, ...] as a model takes them: pixels as bytes, if it scales them itself."""
    taken = model.input
    return as_bytes(inputs, taken.pixels) if taken.takes_pixels and taken.pixels else inputs
