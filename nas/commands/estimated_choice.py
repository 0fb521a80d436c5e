"""Trees as a measured search estimates them: what each task gains over its single-task network, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from nas.cost import format_quantity
from nas.display import Displayed
from nas.run import RunFolder
from nas.run.evidence import read_transfer
from nas.strategies.transfer.gains import Gain, chance_of_all, mean_gain
from nas.strategies.transfer.record import TransferRecord
from nas.tree import BranchTree, CostTable


@dataclass(frozen=True, repr=False)
class EstimatedChoice(Displayed):
    """A tree whose gains a measured search has estimated.

    Args:
        name: the tree's id, or "shared".
        tree: the tree, with its cost.
        gain: mean over the tasks of the gain over single-task networks, in percent of the losses.
        gains: the gain of each task.
        worst: how many percent a task may lose; None if any loss is allowed.
        chance: the probability that no task loses more than that; None without ``worst``.
        trained: epochs for which the search trained this tree; 0 if it trained only other ones.
        full: epochs of a full training.
        resource: the resource that `cost` counts.
    """

    name: str
    tree: BranchTree
    gain: Gain
    gains: Mapping[str, Gain]
    worst: float | None
    chance: float | None
    trained: int
    full: int
    resource: str
    kind: ClassVar[str] = "estimated"

    @property
    def cost(self) -> float:
        return (self.tree.cost or {})[self.resource]

    @property
    def delta_m(self) -> float:
        return self.gain.mean

    @property
    def relative(self) -> Mapping[str, float]:
        return {task: gain.mean for task, gain in self.gains.items()}

    @property
    def worst_task(self) -> str:
        """The task with the smallest gain."""
        return min(self.gains, key=lambda task: self.gains[task].mean)

    @property
    def pictured(self) -> BranchTree:
        return self.tree

    def summary(self) -> str:
        return self.describe()

    def records(self) -> list[dict[str, Any]]:
        """What each task gains over its single-task network, in percent."""
        return [{"task": task, "gain": gain.mean, "std": gain.std} for task, gain in self.gains.items()]

    def describe(self) -> str:
        """The choice, its cost, its gains and where they are from in one line."""
        name = "the fully shared tree" if self.name == "shared" else f"tree {self.name}"
        how = f"which trained it for {self.trained} of {self.full} epochs" if self.trained else "by trainings of others"
        worst = f"worst task {self.worst_task} {self.gains[self.worst_task]}"
        sure = "" if self.chance is None else f"; all lose at most {self.worst:g} % with probability {self.chance:.2f}"
        return (
            f"{name}: {format_quantity(self.cost, self.resource)}, estimated by the search, {how}: gain over single "
            f"tasks {self.gain} of the loss, {worst}{sure}"
        )

    def to_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "kind": self.kind, "tree": self.tree.to_dict()}


def has_estimates(run: RunFolder) -> bool:
    """Whether the search of the recommended tree has estimated what its tasks gain."""
    if not run.finished:
        return False
    record = read_transfer(run.trial(run.front.leading.trial))
    return record is not None and run.front.leading.tree_id in record.gains


def estimated_choices(
    run: RunFolder, table: CostTable, resource: str, worst: float | None, shared: BranchTree | None
) -> Sequence[EstimatedChoice]:
    """All trees of the front with estimated gains, and the fully shared tree if it is given."""
    best = run.front.leading
    records: dict[int, TransferRecord | None] = {}
    names: list[tuple[str, BranchTree, int]] = [] if shared is None else [("shared", shared, best.trial)]
    names += [(point.tree_id, run.find_tree(point.tree_id), point.trial) for point in run.front.points]
    choices: dict[BranchTree, EstimatedChoice] = {}
    for name, tree, trial in names:
        if trial not in records:
            records[trial] = read_transfer(run.trial(trial))
        record = records[trial]
        gains = None if record is None else record.gains_of(tree)
        if record is not None and gains is not None and tree not in choices:
            every = list(gains.values())
            choices[tree] = EstimatedChoice(
                name,
                tree.with_cost(table),
                mean_gain(every, record.correlation),
                gains,
                worst,
                None if worst is None else chance_of_all(every, record.correlation, -worst),
                max((row.num_epochs for row in record.trainings if row.tree == tree), default=0),
                record.full_epochs,
                resource,
            )
    return list(choices.values())
