"""The supernet: C candidates of every block, mixed by a routing that is passed in."""

import copy
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nas.backbone.protocol import Backbone
from nas.errors import InputError
from nas.tasks.task import Task


class Supernet(nn.Module):
    """A shared stem, C candidates at each of L blocks, and a head per task.

    It holds weights only. Which candidates a task uses is the routing, an argument of `forward`; the logits
    belong to the search.

    Args:
        backbone: where stem, blocks and heads come from.
        tasks: T tasks.
        num_candidates: C; T if left out, so that every task can have its own copy.
        equal_start: all candidates of a block start from the same weights, as copies of a pretrained block do
            (BMTAS); else each starts from its own.
        affine_last_norm: keep scale and shift of the last BatchNorm of each candidate. BMTAS leaves them out
            during the search, since the routing's weights scale the candidates already.
    """

    def __init__(
        self,
        backbone: Backbone,
        tasks: Sequence[Task],
        num_candidates: int | None = None,
        *,
        equal_start: bool = True,
        affine_last_norm: bool = True,
    ) -> None:
        super().__init__()
        self.task_names = tuple(task.name for task in tasks)
        self.num_candidates = len(tasks) if num_candidates is None else num_candidates
        self.taps = tuple(backbone.taps)
        if self.num_candidates < 1:
            raise InputError(f"a supernet needs at least one candidate a block; found {num_candidates}")
        self.stem = backbone.make_stem()
        self.blocks = nn.ModuleList(
            nn.ModuleList(_make_candidates(backbone, l, self.num_candidates, equal_start))
            for l in range(backbone.num_blocks)
        )
        if not affine_last_norm:
            for candidates in self.blocks:
                assert isinstance(candidates, nn.ModuleList)
                for candidate in candidates:
                    remove_last_affine(candidate)
        self.heads = nn.ModuleDict({task.name: backbone.make_head(task) for task in tasks})

    @property
    def num_blocks(self) -> int:
        return len(self.blocks)

    def forward(self, inputs: Tensor, routing_LTC: Tensor, tasks: Sequence[str] | None = None) -> dict[str, Tensor]:
        """Outputs of the tasks (all, or those named) under a routing.

            x_{l+1,t} = sum_c routing[l, t, c] * block[l][c](x_{l,t})

        A candidate runs once per distinct input, so tasks that have shared every choice so far, as all have at
        block 0, share the work. Candidates of weight zero are skipped where no gradient is asked for, so a
        one-hot routing costs what its tree costs.

        Args:
            inputs: [B, ...].
            routing_LTC: [L, T, C], rows summing to one.
            tasks: names of the tasks to run.
        """
        names = self.task_names if tasks is None else tuple(tasks)
        rows = [self.task_names.index(name) for name in names]
        assert routing_LTC.shape == (self.num_blocks, len(self.task_names), self.num_candidates)
        weights = None if routing_LTC.requires_grad else routing_LTC.tolist()
        features = [self.stem(inputs)] * len(names)
        tapped: list[list[Tensor]] = []
        for l, candidates in enumerate(self.blocks):
            assert isinstance(candidates, nn.ModuleList)
            outputs: dict[tuple[int, int], Tensor] = {}
            mixed = []
            for row, feature in zip(rows, features, strict=True):
                used = [c for c in range(self.num_candidates) if weights is None or weights[l][row][c] != 0.0]
                for c in used:
                    if (id(feature), c) not in outputs:
                        outputs[id(feature), c] = candidates[c](feature)
                if weights is not None and len(used) == 1 and weights[l][row][used[0]] == 1.0:
                    mixed.append(outputs[id(feature), used[0]])
                else:
                    mixed.append(_mix(routing_LTC[l, row], [(c, outputs[id(feature), c]) for c in used]))
            features = mixed
            if l in self.taps:
                tapped.append(features)
        return {
            name: self.heads[name](tuple(feature[i] for feature in tapped), inputs.shape[2:])
            for i, name in enumerate(names)
        }


def _mix(weights_C: Tensor, outputs: list[tuple[int, Tensor]]) -> Tensor:
    (first, total), *others = outputs
    total = weights_C[first] * total
    for c, output in others:
        total = total + weights_C[c] * output
    return total


def _make_candidates(backbone: Backbone, l: int, num_candidates: int, equal_start: bool) -> list[nn.Module]:
    if not equal_start:
        return [backbone.make_block(l) for _ in range(num_candidates)]
    block = backbone.make_block(l)
    return [block, *(copy.deepcopy(block) for _ in range(num_candidates - 1))]


def remove_last_affine(block: nn.Module) -> None:
    """Take scale and shift from the last BatchNorm of a block, in the order of its modules, if it has one."""
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]
    if norms:
        norms[-1].affine = False
        norms[-1].register_parameter("weight", None)
        norms[-1].register_parameter("bias", None)


def reset_running_statistics(module: nn.Module) -> None:
    """Forget the running mean and variance of every BatchNorm."""
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.reset_running_stats()
