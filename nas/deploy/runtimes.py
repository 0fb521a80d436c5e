"""Different ways to run a network, as calls that can be timed."""

from collections.abc import Callable, Sequence
from typing import get_args

from torch import Tensor, nn

from nas.cost.latency import Runtime
from nas.deploy.onnx_file import open_session, to_model
from nas.deploy.program import trace
from nas.engine.compute import ComputeSettings
from nas.errors import InputError
from nas.networks.backbone import copied
from nas.networks.branched import BranchedNetwork

RUNTIMES: tuple[Runtime, ...] = get_args(Runtime)
"""The names of all runtimes."""


def find_runtimes(names: Sequence[str]) -> tuple[Runtime, ...]:
    """The runtimes of these names, each once, in this order; InputError if there are none, or one is unknown."""
    unknown = [name for name in names if name not in RUNTIMES]
    if unknown or not names:
        raise InputError(f"no runtimes {unknown}; choose among {', '.join(RUNTIMES)}")
    return tuple(runtime for name in dict.fromkeys(names) for runtime in RUNTIMES if runtime == name)


class _Outputs(nn.Module):
    """A network that returns its outputs as a tuple, as exported graphs do."""

    def __init__(self, network: BranchedNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network(inputs).values())


def make_call(network: BranchedNetwork, inputs: Tensor, runtime: Runtime) -> Callable[[], object]:
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
    example = inputs.cpu()
    program = trace(_Outputs(copied(network).cpu()), example.repeat(2, *[1] * (example.dim() - 1)), dynamic_size=False)
    session = open_session(to_model(program, network.tree.tasks, dynamic_size=False).SerializeToString())
    feed = {session.get_inputs()[0].name: example.numpy()}
    return lambda: session.run(None, feed)
