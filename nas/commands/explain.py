"""`nas explain`: why tasks share or part in a tree, in words and numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from nas.commands.show import find
from nas.errors import InputError, no_such
from nas.run import RunFolder, TrialFolder
from nas.run.costs import read_table
from nas.run.evidence import SOURCES, Pair, Section, num_shared, read_transfer_map
from nas.run.verdicts import verdicts
from nas.strategies.confidence import confidence, grade
from nas.strategies.diagnosis import Diagnosis, MarginRecord, Verdict
from nas.strategies.transfer.transfer_map import TransferMap
from nas.tree import BranchTree, describe_difference

_MOST_DIFFERENCES = 3
"""A sentence lists at most so many differences of two trees; `RunnerUp.differences` has all."""


@dataclass(frozen=True)
class RunnerUp:
    """The second-best tree within a budget: how it differs from the tree, and by how much it is worse.

    Args:
        budgets: the budgets of which it is second-best; None stands for the cost that the search chose.
        gap: value of the second-best tree minus value of the tree, in units of the dissimilarity.
        noise: standard deviation of the gap; None if unknown.
        differences: sentences about "the first tree", which is the explained one, and "the second" (tree).
    """

    budgets: tuple[float | None, ...]
    gap: float
    noise: float | None
    differences: tuple[str, ...]

    @property
    def sentence(self) -> str:
        places = ["the cost that the search chose" if b is None else f"budget {b:g}" for b in self.budgets]
        if self.gap == 0:
            size = "is as good"
        elif self.noise is None:
            size = f"is {self.gap:.2g} behind"
        else:
            sure = grade(confidence(self.gap, self.noise))
            size = f"is {self.gap:.2g} behind, with a noise of {self.noise:.2g} ({sure})"
        more = len(self.differences) - _MOST_DIFFERENCES
        first = "; ".join(self.differences[:_MOST_DIFFERENCES]) + (f"; and {more} more differences" if more > 0 else "")
        return f"within {' and '.join(places)} the second-best tree {size}: {first} (the first is this tree)"


@dataclass(frozen=True)
class Explanation:
    """Why tasks share or part in a tree.

    Args:
        tree: the explained tree.
        trial: the number of the trial whose search explains it.
        pairs: the pairs of tasks.
        evidence: one section for each kind of file that the search kept (`nas.run.evidence`).
        runners_up: the second-best trees of the budgets that the tree was found for.
        verdicts: what the search says about its own result, except on margins, which ``runners_up`` has.
        transfer: which task helps and hurts which, as far as a measured search knows.
    """

    tree: BranchTree
    trial: int
    pairs: tuple[Pair, ...]
    evidence: tuple[Section, ...]
    runners_up: tuple[RunnerUp, ...]
    verdicts: tuple[Verdict, ...]
    transfer: TransferMap | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with all numbers by pair and block."""
        return {
            "tree": self.tree.to_dict(),
            "id": self.tree.id,
            "trial": self.trial,
            "pairs": [
                {"tasks": list(pair.tasks), "num_shared": pair.num_shared, "parted_at": pair.parted_at}
                for pair in self.pairs
            ],
            "evidence": [asdict(section) for section in self.evidence],
            "runners_up": [{**asdict(one), "sentence": one.sentence} for one in self.runners_up],
            "verdicts": [verdict.model_dump() for verdict in self.verdicts],
            "transfer": None if self.transfer is None else self.transfer.to_dict(),
        }


def explain(
    run: str | Path,
    *,
    tasks: Sequence[str] | None = None,
    tree: str | None = None,
    out: str | Path | None = None,
) -> Explanation:
    """Say why tasks share or part in a tree of a finished search. The recipe is not imported.

    Args:
        run: a run folder.
        tasks: at least two; every pair of them is explained. By default all tasks of the tree.
        tree: its id (or the beginning), a file, or a name (`nas.run.named_tree`); by default the recommended tree. If
            no trial found the tree, the trial of the recommended tree explains it.
        out: a png, svg or pdf file, into which the transfer map of a measured search is drawn.

    Raises:
        InputError: no such run, tree or task, the search is not finished, or it has no transfer map to draw.
    """
    folder = RunFolder.open(Path(run))
    best = folder.front.leading
    found, _ = find(folder.path, tree)
    trial = folder.trial_of(found) or folder.trial(best.trial)
    price_L = _prices(trial, folder.front.resource, found)
    pairs = tuple(
        Pair(pair, found.blocks, num_shared(found, pair), price_L) for pair in combinations(_checked(tasks, found), 2)
    )
    sections = (source(trial, found, pairs) for source in SOURCES)
    transfer = read_transfer_map(trial)
    if out is not None:
        _draw(transfer, trial, out)
    diagnosis = Diagnosis.read(trial.path) or Diagnosis()
    return Explanation(
        found,
        trial.number,
        pairs,
        tuple(section for section in sections if section is not None),
        _runners_up(found, diagnosis.margins),
        tuple(verdict for verdict in verdicts(folder, found) if verdict.about != "margin"),
        transfer,
    )


def _draw(transfer: TransferMap | None, trial: TrialFolder, out: str | Path) -> None:
    if transfer is None:
        raise InputError(
            f"`out` draws what a measured search learned, and {trial.path} has no transfer.json with effects; search "
            "with `preset=measured`"
        )
    from nas.report import draw_transfer_map, save_figure

    save_figure(draw_transfer_map(transfer), out)


def _checked(tasks: Sequence[str] | None, tree: BranchTree) -> Sequence[str]:
    tasks = tree.tasks if tasks is None else tasks
    if unknown := [task for task in tasks if task not in tree.tasks]:
        raise InputError(f"`tasks`: {no_such('task', unknown[0], tree.tasks)}")
    if len(set(tasks)) < max(2, len(tasks)):
        known = ", ".join(tree.tasks)
        raise InputError(f"`tasks` names two or more different tasks; found {', '.join(tasks)}, and there are {known}")
    return tasks


def _prices(trial: TrialFolder, resource: str, tree: BranchTree) -> tuple[float, ...]:
    """The share of separate networks' cost that each block and all later ones have."""
    table = read_table(trial.costs)
    fits = len(table.blocks) == len(tree.blocks) and set(tree.tasks) <= set(table.heads)
    if not fits or resource not in table.resources:
        raise InputError(f"{trial.costs}: lacks tasks or blocks of tree {tree.id}, or costs in {resource}")
    cost_L = [block[resource] for block in table.blocks]
    separate = table.separate_cost()[resource] or 1.0
    return tuple(sum(cost_L[l:]) / separate for l in range(len(cost_L)))


def _runners_up(tree: BranchTree, margins: Iterable[MarginRecord]) -> tuple[RunnerUp, ...]:
    """The second-best trees of one tree's budgets; a tree that is second-best several times is listed once."""
    alike: dict[MarginRecord, list[float | None]] = {}
    for record in margins:
        if record.tree == tree.id:
            alike.setdefault(record.model_copy(update={"budget": None}), []).append(record.budget)
    runners_up = []
    for record, budgets in alike.items():
        differences = describe_difference(tree, BranchTree(tree.tasks, record.runner_up, tree.blocks))
        runners_up.append(RunnerUp(tuple(budgets), record.gap, record.noise, tuple(differences)))
    return tuple(runners_up)
