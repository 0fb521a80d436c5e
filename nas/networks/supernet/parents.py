"""The supernet of parent choice: J nodes of every block, each of which reads a node of the block before it."""

import operator
from collections.abc import Iterable, Mapping, Sequence
from functools import partial, reduce

import torch
from torch import Tensor, nn

from nas.errors import InputError
from nas.networks.backbone import Backbone, PartMaker, PartRunner
from nas.networks.supernet.recompute import recomputed
from nas.networks.supernet.samplers import Gumbel, Sampler
from nas.tasks.task import Task

Routings = Sequence[Tensor]
"""For every block the weights of its nodes for each reader of it, [readers, nodes]; rows sum to one. The readers of a
block are the nodes of the next block, and those of the last block are the tasks."""


class ParentSupernet(nn.Module):
    """A shared stem, J_l nodes at each of L blocks, and a head per task (Guo et al., Learning to Branch, ICML 2020).

    The nodes of the first block read the stem. It holds weights only: the routings are an argument of `forward`.

    Args:
        backbone: makes stem, blocks and heads; every node is a block of its own call.
        tasks: T tasks.
        nodes: the number of nodes of each block.

    Raises:
        InputError: there are not L numbers of nodes, or `nas.networks.backbone.PartMaker` refuses a part.
    """

    def __init__(self, backbone: Backbone, tasks: Sequence[Task], nodes: Sequence[int]) -> None:
        super().__init__()
        if len(nodes) != backbone.num_blocks:
            raise InputError(f"the backbone has {backbone.num_blocks} blocks; found numbers of nodes for {len(nodes)}")
        self.task_names = tuple(task.name for task in tasks)
        self.nodes = tuple(nodes)
        self.taps = tuple(backbone.taps)
        make = PartMaker(backbone)
        self.stem = make.stem()
        self.blocks = nn.ModuleList(nn.ModuleList(make.block(l) for _ in range(num)) for l, num in enumerate(nodes))
        self.heads = nn.ModuleDict({task.name: make.head(task) for task in tasks})
        self._runner = PartRunner()
        self.set_execution()

    @property
    def num_blocks(self) -> int:
        return len(self.blocks)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The shape of each block's logits and routing, [readers, nodes]."""
        return list(zip((*self.nodes[1:], len(self.task_names)), self.nodes, strict=True))

    def set_execution(self, *, checkpoint_activations: bool = False) -> None:
        """Choose how later calls compute nodes; the results stay the same.

        Args:
            checkpoint_activations: keep only the inputs of nodes for the backward pass, and run them again there.
        """
        self._checkpoint = checkpoint_activations

    def forward(
        self,
        inputs: Tensor,
        routings: Routings,
        tasks: Sequence[str] | None = None,
        *,
        unread_gradients: bool = False,
    ) -> dict[str, Tensor]:
        """Outputs of the tasks (all, or those named) under a routing.

            y_{l,j} = block[l][j](x_{l,j}),    x_{l+1,k} = sum_j routings[l][k, j] y_{l,j},    x_{0,j} = stem(inputs)

        A head reads its task's features at the taps: at the last block those of its own row, and before it
        sum_j R_l[t, j] y_{l,j} with the composed routing R_l = routings[L-1] ... routings[l].

        Only active nodes run, from which a named task descends: under one-hot routings, the network of their tree.

        Args:
            inputs: [B, ...].
            routings: as in `Routings`.
            tasks: names of the tasks to run.
            unread_gradients: let entries of a routing that are zero, but need a gradient, have it:
                <d loss / d x_{l+1,k}, y_{l,j}>, as straight-through routings need. Then the other nodes run, too,
                without gradients of their weights.
        """
        names = self.task_names if tasks is None else tuple(tasks)
        rows = [self.task_names.index(name) for name in names]
        assert [tuple(routing.shape) for routing in routings] == self.shapes
        routings = [*routings[:-1], routings[-1] if len(rows) == len(self.task_names) else routings[-1][rows]]
        if not unread_gradients:
            routings = [
                routing * (routing.detach() != 0.0) if routing.requires_grad else routing for routing in routings
            ]
        active = _active(routings)
        composed = _composed(routings, self.taps)
        every = unread_gradients and any(routing.requires_grad for routing in routings)
        stem = self._runner.stem(self.stem, inputs)
        features = dict.fromkeys(range(self.nodes[0]), stem)
        tapped = []
        for l, routing_KJ in enumerate(routings):
            outputs = {j: self._run_node(l, j, features[j]) for j in active[l]}
            unread = self._run_others(l, features, outputs) if every else None
            if l in self.taps:
                tapped.append(_read(outputs, unread, composed[l], range(len(names))))
            if l + 1 < self.num_blocks:
                features = _read(outputs, unread, routing_KJ, active[l + 1])
                if unread is not None:
                    others = [k for k in range(self.nodes[l + 1]) if k not in features]
                    features |= _read({**outputs, **unread}, None, routing_KJ.detach(), others)
        return {
            name: self._runner.head(name, self.heads[name], [block[i] for block in tapped], inputs.shape[2:])
            for i, name in enumerate(names)
        }

    @torch.no_grad()
    def _run_others(self, l: int, features: Mapping[int, Tensor], outputs: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """The outputs of the nodes that are not active."""
        return {j: self._run_node(l, j, features[j]) for j in range(self.nodes[l]) if j not in outputs}

    def _run_node(self, l: int, j: int, feature: Tensor) -> Tensor:
        node = self.blocks[l][j]  # type: ignore[index]
        run = partial(self._runner.block, l, node)
        if self._checkpoint and torch.is_grad_enabled():
            return recomputed(node, feature, run)
        return run(feature)


def _active(routings: Routings) -> list[list[int]]:
    """The active nodes of each block: those that an active reader reads, from the last block to the first."""
    found: list[list[int]] = []
    for routing_KJ in reversed(routings):
        rows = routing_KJ.detach()[found[-1]] if found else routing_KJ.detach()
        found.append((rows != 0.0).any(dim=0).nonzero().flatten().tolist())
    return found[::-1]


def _composed(routings: Routings, taps: Sequence[int]) -> dict[int, Tensor]:
    """The composed routing of each tap, [T, nodes]."""
    found, product_TJ = {}, routings[-1]
    for l in range(len(routings) - 1, min(taps) - 1, -1):
        product_TJ = product_TJ @ routings[l] if l < len(routings) - 1 else product_TJ
        if l in taps:
            found[l] = product_TJ
    return found


def _read(
    outputs: Mapping[int, Tensor], unread: Mapping[int, Tensor] | None, routing_KJ: Tensor, readers: Iterable[int]
) -> dict[int, Tensor]:
    """What each reader reads: the weighted sum of the outputs.

    Args:
        outputs: by node, of those with a weight that is not zero.
        unread: of the other nodes, if the zeros are to have a gradient; None if not.
    """
    needs_gradient, weights_KJ = routing_KJ.requires_grad, routing_KJ.tolist()
    features = {}
    for k in readers:
        used = [j for j, weight in enumerate(weights_KJ[k]) if weight != 0.0]
        if not needs_gradient and len(used) == 1 and weights_KJ[k][used[0]] == 1.0:
            features[k] = outputs[used[0]]
        else:
            features[k] = reduce(operator.add, [routing_KJ[k, j] * outputs[j] for j in used])
    if unread is None or not needs_gradient:
        return features
    rows = list(features)
    every_J = torch.stack([{**outputs, **unread}[j].detach() for j in range(routing_KJ.shape[1])])
    zeros_KJ = routing_KJ[rows] * (routing_KJ.detach()[rows] == 0.0)
    # Zeros, whose gradient is that of the unread outputs.
    straight_K = torch.tensordot(zeros_KJ.to(every_J), every_J, dims=1)
    return {k: features[k] + straight for k, straight in zip(rows, straight_K, strict=True)}


def sample_parents(
    logits: Sequence[Tensor],
    nodes: Sequence[int],
    temperature: float,
    *,
    sampler: Sampler | None = None,
    generator: torch.Generator,
) -> list[Tensor]:
    """One-hot parents with straight-through gradients for each block, [readers, nodes] (`Sampler.sample`).

    Args:
        logits: for each block the parameters of its readers' choices, [readers, P].
        nodes: the number of nodes of each block.
        sampler: Gumbel-softmax by default.
    """
    sampler = Gumbel() if sampler is None else sampler
    return [
        sampler.sample(logits_KP, num_nodes, temperature, hard=True, generator=generator)
        for logits_KP, num_nodes in zip(logits, nodes, strict=True)
    ]


def one_hot_parents(parents: Iterable[Sequence[int]], nodes: Sequence[int]) -> list[Tensor]:
    """The routings of choices of parents (`nas.tree.parents`)."""
    dtype = torch.get_default_dtype()
    return [
        nn.functional.one_hot(torch.tensor(row), num_nodes).to(dtype)
        for row, num_nodes in zip(parents, nodes, strict=True)
    ]
