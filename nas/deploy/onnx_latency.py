"""The prefixes of a backbone's networks in onnxruntime, to measure its parts (`nas.cost.prefixes`)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nas.cost import Prefixes
from nas.cost.timing import Call
from nas.deploy.onnx_file import open_session, require_onnx, to_model
from nas.deploy.program import trace
from nas.networks.backbone import Backbone, PartMaker, PartRunner
from nas.tasks import Task


def onnxruntime_prefixes(
    backbone: Backbone, tasks: Sequence[Task], input_shape: Sequence[int], *, batch_size: int = 1
) -> Prefixes:
    """The prefixes of a backbone in onnxruntime on the CPU, on random inputs.

    The stem, all blocks and all heads are exported as one graph, from which the graph of each prefix is cut. So the
    slow part, the export, is done once, and onnxruntime optimises each prefix as it optimises a network.

    Args:
        input_shape: of one sample, without the batch.
        batch_size: samples a call.

    Raises:
        InputError: onnxruntime is missing, or a part cannot be exported.
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        inputs = torch.randn(batch_size, *input_shape)
        calls = _calls(_AllParts(backbone, tasks).eval(), inputs)
    return Prefixes(
        calls=calls,
        runtime="onnxruntime",
        device="cpu",
        num_threads=torch.get_num_threads(),
        batch_size=batch_size,
        input_shape=tuple(input_shape),
        tasks=tuple(task.name for task in tasks),
    )


class _AllParts(nn.Module):
    """Returns the features after the stem and after each block, and the output of each head, as one tuple."""

    def __init__(self, backbone: Backbone, tasks: Sequence[Task]) -> None:
        super().__init__()
        make = PartMaker(backbone)
        self.names = tuple(task.name for task in tasks)
        self.taps = tuple(backbone.taps)
        self.stem = make.stem()
        self.blocks = nn.ModuleList(make.block(l) for l in range(backbone.num_blocks))
        self.heads = nn.ModuleList(make.head(task) for task in tasks)
        self._run = PartRunner()

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        features = [self._run.stem(self.stem, inputs)]
        for l, block in enumerate(self.blocks):
            features.append(self._run.block(l, block, features[-1]))
        tapped = [features[1 + l] for l in self.taps]
        heads = zip(self.names, self.heads, strict=True)
        return (*features, *(self._run.head(name, head, tapped, inputs.shape[2:]) for name, head in heads))


def _calls(parts: _AllParts, inputs: Tensor) -> list[Call]:
    """A call of each prefix, on fixed inputs [B, ...]."""
    onnx, _ = require_onnx()
    names = [f"part_{i}" for i in range(1 + len(parts.blocks) + len(parts.heads))]
    example = inputs[:1].repeat(2, *[1] * (inputs.dim() - 1))
    model = to_model(trace(parts, example, dynamic_size=False), names, dynamic_size=False)
    extractor = onnx.utils.Extractor(model)
    (given,) = [value.name for value in model.graph.input]

    def call(name: str) -> Call:
        cut: Any = extractor.extract_model([given], [name])
        session = open_session(cut.SerializeToString())
        feed = {given: inputs.numpy()}
        return lambda: session.run(None, feed)

    return [call(name) for name in names]
