"""The exponential moving average of a network's weights."""

import torch
from torch import Tensor, nn

from nas.networks.backbone import copied
from nas.networks.branched import BranchedNetwork


class WeightAverage:
    """A second network whose weights are an average of the trained network's weights over the steps.

        average += (1 - d_n) (weights - average),   d_n = min(decay, (1 + n) / (10 + n)) after n steps

    The decay grows from 0.1 to its value, so that the random start has little weight even after a short training. The
    running statistics of BatchNorm are averaged like the weights; counters are copied.

    Differs from torch.optim.swa_utils.AveragedModel: the decay grows, and no step waits for the device.
    """

    def __init__(self, network: BranchedNetwork, decay: float) -> None:
        self.decay = decay
        self.num_steps = 0
        self.network = copied(network)
        self.network.requires_grad_(False)

    @torch.no_grad()
    def update(self, network: BranchedNetwork) -> None:
        """Update the average after a step."""
        decay = min(self.decay, (1 + self.num_steps) / (10 + self.num_steps))
        self.num_steps += 1
        averages, values = _tensors(self.network), _tensors(network)
        floating = [i for i, average in enumerate(averages) if not _is_counter(average)]
        torch._foreach_lerp_([averages[i] for i in floating], [values[i] for i in floating], 1.0 - decay)
        for average, value in zip(averages, values, strict=True):
            if _is_counter(average):
                average.copy_(value)


def _is_counter(tensor: Tensor) -> bool:
    return not (tensor.is_floating_point() or tensor.is_complex())


def _tensors(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]
