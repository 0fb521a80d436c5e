"""Static quantisation of an ONNX model to int8 by onnxruntime, with ranges that samples calibrate.

Weights become int8 with one scale for each output channel, and activations int8 with one scale for each tensor, whose
range is that of the samples. The model stays a graph of float operators between pairs of QuantizeLinear and
DequantizeLinear (QDQ), which onnxruntime replaces by int8 kernels when it loads the model. So the file needs no
operators of onnxruntime's own, and its MACs are counted like those of the float model.

Outputs of an int8 model differ from those of the float model by more than any tolerance that would find a fault. They
have to be finite and of the same shapes (`check_outputs`), and `nas export --int8` measures the metrics of both models.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from nas.deploy.comparison import Deviation, deviations, other_sizes
from nas.deploy.model import ExportedModel
from nas.deploy.onnx_file import require_onnx
from nas.errors import InputError, WorkFailed, in_one_line


def quantize(path: Path, inputs: Tensor) -> Any:
    """The int8 model of an .onnx with one input.

    Args:
        path: the float model.
        inputs: samples [n, ...] that calibrate, as the model takes them.

    Raises:
        InputError: onnxruntime cannot quantise the model, or the model has nothing to quantise.
    """
    onnx, _ = require_onnx()
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    model = onnx.load_model(path)
    samples = _Samples(model.graph.input[0].name, inputs)
    with TemporaryDirectory() as folder:
        prepared, quantized = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
        try:
            # Types are enough, and the symbolic inference of sizes fails on some models.
            quant_pre_process(path, prepared, skip_symbolic_shape=True)
            quantize_static(
                *(prepared, quantized, samples),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
            )
        except Exception as error:  # of many classes, from onnx, onnxruntime and its scripts
            raise InputError(f"{path}: onnxruntime cannot quantise it: {in_one_line(error)}") from error
        made = onnx.load_model(quantized)
    if not any(node.op_type == "QuantizeLinear" for node in made.graph.node):
        raise InputError(f"{path}: has no operator that onnxruntime can quantise")
    return made


def check_outputs(whole: ExportedModel, int8: ExportedModel, inputs: Tensor) -> dict[str, Deviation]:
    """How far an int8 model's outputs are from those of the float model, by task.

    Args:
        inputs: samples [n, ...], as both models take them. If height and width are free, the int8 model also runs on
            random inputs of other sizes.

    Raises:
        WorkFailed: an output has another shape, or is not finite.
    """
    found = deviations(int8.tasks, whole(inputs), int8(inputs), are_answers=False)
    wrong = [name for name, deviation in found.items() if deviation.difference == float("inf")]
    for batch in other_sizes(inputs) if int8.input.dynamic_size else ():
        wrong += [name for name, output in int8(batch).items() if not torch.isfinite(output).all()]
    if wrong:
        raise WorkFailed(f"the int8 model's outputs are not finite, or of another shape, for {', '.join(wrong)}")
    return found


class _Samples:
    """Samples one by one, as onnxruntime's calibration reads them."""

    def __init__(self, name: str, inputs: Tensor) -> None:
        self._feeds: Iterator[dict[str, Any]] = ({name: one.numpy()} for one in inputs[:, None])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)
