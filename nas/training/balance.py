"""Loss balancing: a factor of each task's loss that changes during training, beside the weight in the recipe."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nas.engine.optimizer import OptimizerSettings, set_learning_rate
from nas.training.methods import make_scalarizer


class LossBalance:
    """Gives a factor for each task's loss in every step, and learns from the losses.

    The losses are already multiplied by the recipe's weights. A task without a label in a step has no loss in it.
    """

    def factors(self) -> dict[str, Tensor]:
        """The factor of each task in the next step; a subclass defines it."""
        raise NotImplementedError

    def learn(self, losses: Mapping[str, Tensor], lr_factor: float) -> None:
        """Learn from the losses of a step (detached), of the tasks that have one; by default nothing."""

    def end_epoch(self, means: Mapping[str, float]) -> None:
        """Learn from the mean losses of an epoch, of the tasks that have one; by default nothing."""

    def state_dict(self) -> dict[str, Any]:
        """What has been learned, for a checkpoint; empty by default."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore `state_dict`."""


def make_balance(
    name: str, tasks: Sequence[str], optimizer: OptimizerSettings, device: torch.device
) -> LossBalance | None:
    """The balance with this name; None for "none" and for a single task."""
    if name == "none" or len(tasks) == 1:
        return None
    if name == "dwa":
        return AveragePace(tasks)
    if name == "random":
        return RandomFactors(tasks)
    return LearnedFactors(name, tasks, optimizer, device)


class LearnedFactors(LossBalance):
    """One learned number a task: uncertainty weighting (Kendall et al., CVPR 2018), or IMTL-L (Liu et al., ICLR 2021).

        uncertainty   sum_t exp(-s_t) L_t / 2 + s_t / 2
        imtl_l        sum_t exp(s_t) L_t - s_t

    A second optimiser trains the numbers: the network's kind and learning rate, without weight decay.
    """

    def __init__(self, name: str, tasks: Sequence[str], optimizer: OptimizerSettings, device: torch.device) -> None:
        self._scalarizers = nn.ModuleDict({task: make_scalarizer(name) for task in tasks}).to(device)
        self._optimizer = optimizer.model_copy(update={"weight_decay": 0.0}).make(self._scalarizers.parameters())
        self._device = device

    def factors(self) -> dict[str, Tensor]:
        return {task: _slope(scalarizer, (), self._device) for task, scalarizer in self._scalarizers.items()}

    def learn(self, losses: Mapping[str, Tensor], lr_factor: float) -> None:
        set_learning_rate(self._optimizer, lr_factor)
        self._optimizer.zero_grad(set_to_none=True)
        torch.stack([self._scalarizers[task](loss) for task, loss in losses.items()]).sum().backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        return {"numbers": self._scalarizers.state_dict(), "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._scalarizers.load_state_dict(state["numbers"])
        self._optimizer.load_state_dict(state["optimizer"])


class AveragePace(LossBalance):
    """Dynamic weight average (Liu et al., CVPR 2019, eq. 7): a larger factor for tasks whose loss falls more slowly.

        factor_t = T softmax_t(r_t / 2),   r_t = L_t(epoch - 1) / L_t(epoch - 2)

    L_t is the mean loss of an epoch. All factors are 1 in the first two epochs. The factor of a task is also 1 if the
    task had no loss in one of the last two epochs, or a loss that is not positive and finite.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        self._tasks = tuple(tasks)
        self._means: list[dict[str, float]] = []
        self._factors = self._compute()

    def factors(self) -> dict[str, Tensor]:
        return self._factors

    def end_epoch(self, means: Mapping[str, float]) -> None:
        self._means = [*self._means, dict(means)][-2:]
        self._factors = self._compute()

    def state_dict(self) -> dict[str, Any]:
        return {"means": self._means}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._means = [{task: float(mean) for task, mean in epoch.items()} for epoch in state["means"]]
        self._factors = self._compute()

    def _compute(self) -> dict[str, Tensor]:
        factors = dict.fromkeys(self._tasks, torch.tensor(1.0))
        paced = [task for task in self._tasks if all(epoch.get(task) for epoch in self._means)]
        if not paced:
            return factors
        scalarizer: Any = make_scalarizer("dwa")
        for epoch in self._means:
            scalarizer(torch.tensor([epoch[task] for task in paced]))
            scalarizer.step()
        return factors | dict(zip(paced, _slope(scalarizer, (len(paced),), torch.device("cpu")), strict=True))


class RandomFactors(LossBalance):
    """Random factors for every step, softmax of normal numbers (Lin et al., TMLR 2022): a control for the others."""

    def __init__(self, tasks: Sequence[str]) -> None:
        self._tasks = tuple(tasks)
        self._scalarizer = make_scalarizer("random")

    def factors(self) -> dict[str, Tensor]:
        slope_T = _slope(self._scalarizer, (len(self._tasks),), torch.device("cpu"))
        return dict(zip(self._tasks, slope_T, strict=True))


def _slope(scalarizer: nn.Module, shape: tuple[int, ...], device: torch.device) -> Tensor:
    """The factor of each loss. All scalarizers used here are linear in the losses, so the slope is constant."""
    losses = torch.ones(shape, device=device, requires_grad=True)
    (slope,) = torch.autograd.grad(scalarizer(losses), losses)
    return slope
