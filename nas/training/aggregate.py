"""Gradient aggregation: at every node of the tree, the gradients of the tasks that share it become one.

A node is the part of the network that one group of tasks shares: consecutive blocks with this group, and the stem for
the group of all tasks. In the papers all tasks share one trunk, and the methods combine their gradients there. A tree
has a trunk for each group, so each group's gradients are combined separately.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nas.engine import Ranks, as_real
from nas.errors import InputError, WorkFailed, in_one_line
from nas.networks.branched import BranchedNetwork
from nas.training.methods import AGGREGATIONS, aggregator_state, make_aggregator, restored_aggregator

if TYPE_CHECKING:
    from torchjd.aggregation import Aggregator

Group = tuple[str, ...]


def parameters_by_group(network: BranchedNetwork) -> dict[Group, list[nn.Parameter]]:
    """The trainable parameters, by the group of tasks that uses them, in the order of stem, blocks and heads.

    Each partition refines the one before, so the blocks of one group are consecutive: they form a node of the tree.
    """
    tree = network.tree
    parts: list[tuple[Group, nn.Module]] = [(tuple(tree.tasks), network.stem)]
    for partition, instances in zip(tree.partitions, network.blocks, strict=True):
        assert isinstance(instances, nn.ModuleList)
        parts += [(tuple(group), instance) for group, instance in zip(partition, instances, strict=True)]
    parts += [((name,), head) for name, head in network.heads.items()]
    nodes: dict[Group, list[nn.Parameter]] = {}
    for group, part in parts:
        nodes.setdefault(group, []).extend(parameter for parameter in part.parameters() if parameter.requires_grad)
    return {group: parameters for group, parameters in nodes.items() if parameters}


class NodeAggregation:
    """Collects the gradient of each task in one step, then combines them at every node.

    At a node of the tasks G, the subset P has a loss in this step, and J is the Jacobian [|P|, parameters of the node]:

        gradient = aggregator(J)  for |P| > 1,    J  for |P| = 1,    none  for |P| = 0

    scaled to the size of the sum (`Aggregation`). Each task has its own backward pass through the parts that it uses.
    Some aggregators keep a state between steps, so each node has one aggregator for each set P that occurs. There are
    several such sets where labels are missing.
    """

    def __init__(self, method: str, network: BranchedNetwork) -> None:
        self.method = method
        self._nodes = parameters_by_group(network)
        self._parameters = {
            task: [p for group, parameters in self._nodes.items() if task in group for p in parameters]
            for task in network.tree.tasks
        }
        self._aggregators: dict[tuple[Group, Group], Aggregator] = {}
        self._gradients: dict[str, list[Tensor | None]] = {}

    def add(self, losses: Mapping[str, Tensor]) -> None:
        """Compute the gradients of some tasks' losses on one batch, and add them to those of earlier batches."""
        trained = {task: loss for task, loss in losses.items() if loss.requires_grad}
        for i, (task, loss) in enumerate(trained.items()):
            gradients = torch.autograd.grad(
                loss, self._parameters[task], retain_graph=i < len(trained) - 1, allow_unused=True
            )
            before = self._gradients.get(task)
            self._gradients[task] = list(gradients) if before is None else _added(before, gradients)

    def reduce(self, ranks: Ranks) -> None:
        """Sum each task's gradients over the ranks that share the batches; all ranks hold the same tasks."""
        for task, gradients in self._gradients.items():
            self._gradients[task], _ = ranks.sum(gradients, self._parameters[task])

    def write(self, scale: float = 1.0) -> None:
        """Write the combined gradient of every parameter, and forget the gradients of the tasks.

        Args:
            scale: factor of the losses against underflow. Aggregators get gradients without it; parameters get
                gradients with it. Gradients that are not finite are only summed, so that the scaler finds them.

        Raises:
            WorkFailed: an aggregator fails.
        """
        taken = {task: iter(gradients) for task, gradients in self._gradients.items()}
        self._gradients = {}
        for group, parameters in self._nodes.items():
            rows = {task: [next(taken[task]) for _ in parameters] for task in group if task in taken}
            rows = {task: row for task, row in rows.items() if any(gradient is not None for gradient in row)}
            used = [any(row[i] is not None for row in rows.values()) for i in range(len(parameters))]
            for parameter in parameters:
                parameter.grad = None
            trained = [parameter for parameter, is_used in zip(parameters, used, strict=True) if is_used]
            if not trained:
                continue
            matrix_TN = torch.stack([_flat(row, parameters, used) for row in rows.values()])
            gradient_N = matrix_TN[0] if len(rows) == 1 else self._aggregated(group, tuple(rows), matrix_TN, scale)
            sizes = [as_real(parameter).numel() for parameter in trained]
            for parameter, part in zip(trained, torch.split(gradient_N, sizes), strict=True):
                parameter.grad = torch.empty_like(parameter)
                as_real(parameter.grad).copy_(part.view(as_real(parameter).shape))

    def _aggregated(self, group: Group, tasks: Group, matrix_TN: Tensor, scale: float) -> Tensor:
        """The combined gradient at the node of a group, of the tasks that have a loss."""
        if not torch.isfinite(matrix_TN).all():
            return matrix_TN.sum(dim=0)
        if (group, tasks) not in self._aggregators:
            self._aggregators[group, tasks] = make_aggregator(self.method, len(tasks))
        try:
            gradient_N: Tensor = self._aggregators[group, tasks](matrix_TN / scale)
        # Each solver raises other errors.
        except (ArithmeticError, RuntimeError, TypeError, ValueError) as error:
            raise WorkFailed(
                f"aggregate={self.method} fails on the gradients of {', '.join(tasks)}: {in_one_line(error)}"
            ) from error
        return gradient_N * (scale * len(tasks) if AGGREGATIONS[self.method].averages else scale)

    def state_dict(self) -> dict[str, Any]:
        """The state of each aggregator, by node and tasks."""
        return {
            "/".join(map(",".join, key)): aggregator_state(self.method, aggregator)
            for key, aggregator in self._aggregators.items()
        }

    def load_state_dict(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Restore `state_dict` on the device of the parameters; the state of another tree is an InputError."""
        self._aggregators = {}
        for name, memory in state.items():
            group, tasks = (tuple(part.split(",")) for part in name.split("/"))
            if group not in self._nodes or not set(tasks) <= set(group):
                raise InputError(f"the tree has no node of {name}")
            device = self._nodes[group][0].device
            self._aggregators[group, tasks] = restored_aggregator(self.method, len(tasks), dict(memory), device)


def _added(before: Sequence[Tensor | None], more: Sequence[Tensor | None]) -> list[Tensor | None]:
    return [b if a is None else a if b is None else a + b for a, b in zip(before, more, strict=True)]


def _flat(row: Sequence[Tensor | None], parameters: Sequence[nn.Parameter], used: Sequence[bool]) -> Tensor:
    """One task's gradients at a node as one vector of real numbers; 0 for parameters that only other losses reach."""
    return torch.cat(
        [
            as_real(torch.zeros_like(parameter) if gradient is None else gradient).flatten()
            for gradient, parameter, is_used in zip(row, parameters, used, strict=True)
            if is_used
        ]
    )
