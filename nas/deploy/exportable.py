"""The module that is exported: a network with optional pre- and post-processing inside the graph."""

from collections.abc import Sequence

from torch import Tensor, nn

from nas.deploy.description import Pixels, TaskRecord
from nas.deploy.output_kind import answers
from nas.networks.branched import BranchedNetwork


class ExportableNetwork(nn.Module):
    """Returns one output per task, in the order of the tasks.

    Args:
        network: the network of these tasks; it is set to evaluation mode.
        tasks: the tasks, in the order of the outputs.
        pixels: if given, the inputs are bytes, uint8 [B, C, H, W], and the graph scales them.
        give_answers: whether outputs are predictions (`answers`) instead of the heads' outputs.
    """

    mean_C11: Tensor
    std_C11: Tensor

    def __init__(
        self,
        network: BranchedNetwork,
        tasks: Sequence[TaskRecord],
        *,
        pixels: Pixels | None = None,
        give_answers: bool = False,
    ) -> None:
        super().__init__()
        self.network = network.eval()
        self.tasks = tuple(tasks)
        self.give_answers = give_answers
        self.takes_pixels = pixels is not None
        if pixels is not None:
            mean_C11, std_C11 = pixels.columns()
            self.register_buffer("mean_C11", mean_C11)
            self.register_buffer("std_C11", std_C11)
        self.eval()

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        outputs = self.outputs(inputs)
        if not self.give_answers:
            return tuple(outputs.values())
        return tuple(answers(task.kind, outputs[task.name]) for task in self.tasks)

    def outputs(self, inputs: Tensor) -> dict[str, Tensor]:
        """The heads' outputs by task, without post-processing."""
        if self.takes_pixels:
            inputs = (inputs.float() / 255 - self.mean_C11) / self.std_C11
        outputs: dict[str, Tensor] = self.network(inputs, [task.name for task in self.tasks])
        return outputs
