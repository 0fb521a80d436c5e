"""Different ways to run a network, as calls that can be timed."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from nas.deploy.onnx_file import require_onnx, to_model
from nas.deploy.program import trace
from nas.engine.compute import ComputeSettings
from nas.networks.backbone import copied
from nas.networks.branched import BranchedNetwork

RUNTIMES = ("eager", "compiled", "onnxruntime")
"""PyTorch in eager mode, PyTorch with `torch.compile`, and onnxruntime on the CPU."""


class _Outputs(nn.Module):
    """A network that returns its outputs as a tuple, as exported graphs do."""

    def __init__(self, network: BranchedNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network(inputs).values())


def make_call(network: BranchedNetwork, inputs: Tensor, runtime: str) -> Callable[[], object]:
    """A call that does one forward pass of a network on fixed inputs, with one of `RUNTIMES`.

    Args:
        network: the network; it is set to evaluation mode.
        inputs: [B, ...], on the network's device; onnxruntime uses a copy on the CPU.

    Raises:
        InputError: no C++ compiler, onnxruntime is missing, or the network cannot be exported.
    """
    network.eval()
    if runtime == "eager":
        return lambda: network(inputs)
    if runtime == "compiled":
        compiled = ComputeSettings(compile=True).prepare(copied(network))
        return lambda: compiled(inputs)
    assert runtime == "onnxruntime"
    _, onnxruntime = require_onnx()
    example = inputs.cpu()
    program = trace(_Outputs(copied(network).cpu()), example.repeat(2, *[1] * (example.dim() - 1)), dynamic_size=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4
    model = to_model(program, network.tree.tasks, dynamic_size=False)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: example.numpy()}
    return lambda: session.run(None, feed)
