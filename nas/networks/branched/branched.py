"""The branched network: a branch tree as a module, in which every group has its own instance of a block."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from nas.errors import InputError
from nas.networks.backbone import Backbone, PartMaker, PartRunner
from nas.tasks.task import Task
from nas.tree import BranchTree


class BranchedNetwork(nn.Module):
    """One stem, one instance of block l per group of partition l, one head per task.

    Args:
        backbone: makes stem, blocks and heads.
        tasks: the tree's tasks, in any order; others are ignored.
        tree: L partitions; blocks match by position.
        before_part: called with a part's name before the part is made: "stem", "block 2 of depth normals" (block and
            group), "head of depth".

    Raises:
        InputError: the tree has another number of blocks or other tasks, or `PartMaker` refuses a part.
    """

    def __init__(
        self,
        backbone: Backbone,
        tasks: Sequence[Task],
        tree: BranchTree,
        before_part: Callable[[str], None] = lambda name: None,
    ) -> None:
        super().__init__()
        by_name = {task.name: task for task in tasks}
        check_fits(tree, backbone.num_blocks, tuple(by_name))
        self.tree = tree
        self.taps = tuple(backbone.taps)
        make = PartMaker(backbone)

        def block(l: int, group: Sequence[str]) -> nn.Module:
            before_part(f"block {l} of {' '.join(sorted(group))}")
            return make.block(l)

        def head(name: str) -> nn.Module:
            before_part(f"head of {name}")
            return make.head(by_name[name])

        before_part("stem")
        self.stem = make.stem()
        self.blocks = nn.ModuleList(
            nn.ModuleList(block(l, group) for group in partition) for l, partition in enumerate(tree.partitions)
        )
        self.heads = nn.ModuleDict({name: head(name) for name in tree.tasks})
        self._run = PartRunner()
        # For each block, the instance that each task uses.
        self._choices_LT = tree.choices_LT

    def forward(self, inputs: Tensor, tasks: Sequence[str] | None = None) -> dict[str, Tensor]:
        """The outputs of all tasks, or of the named ones; each block runs once for each group that has one of them."""
        names = self.tree.tasks if tasks is None else tuple(tasks)
        rows = [self.tree.tasks.index(name) for name in names]
        features: dict[int, Tensor] = dict.fromkeys(rows, self._run.stem(self.stem, inputs))
        tapped: dict[int, list[Tensor]] = {row: [] for row in rows}
        for l, instances in enumerate(self.blocks):
            assert isinstance(instances, nn.ModuleList)
            outputs: dict[int, Tensor] = {}
            for row in rows:
                choice = self._choices_LT[l][row]
                if choice not in outputs:
                    outputs[choice] = self._run.block(l, instances[choice], features[row])
                features[row] = outputs[choice]
                if l in self.taps:
                    tapped[row].append(features[row])
        return {
            name: self._run.head(name, self.heads[name], tapped[row], inputs.shape[2:])
            for name, row in zip(names, rows, strict=True)
        }


def check_fits(tree: BranchTree, num_blocks: int, tasks: Sequence[str]) -> None:
    """Raise an InputError unless the tree has as many blocks as the backbone, and only tasks out of ``tasks``."""
    if len(tree.partitions) != num_blocks:
        raise InputError(f"the tree has {len(tree.partitions)} blocks, the backbone {num_blocks}")
    if unknown := [task for task in tree.tasks if task not in tasks]:
        raise InputError(f"the tree has tasks {unknown} that the recipe does not; its tasks are {list(tasks)}")
