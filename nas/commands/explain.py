"""`nas explain`: why tasks share or part in a tree, in words and numbers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nas.commands.show import find
from nas.display import Displayed
from nas.errors import InputError, no_such
from nas.report.save import check_look
from nas.report.theme import ThemeName
from nas.run import RunFolder, TrialFolder
from nas.run.evidence import SOURCES, Pair, Section, pairs_of, read_transfer_map
from nas.run.runners_up import RunnerUp, runners_up
from nas.run.verdicts import verdicts
from nas.strategies.diagnosis import Diagnosis, Verdict
from nas.strategies.transfer.transfer_map import TransferMap
from nas.tree import BranchTree


@dataclass(frozen=True, repr=False)
class Explanation(Displayed):
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

    @property
    def pictured(self) -> TransferMap | None:
        return self.transfer

    def summary(self) -> str:
        return f"tree {self.tree.id}, {len(self.pairs)} pairs of tasks, by trial {self.trial}"

    def records(self) -> list[dict[str, Any]]:
        """A line for each pair of tasks and each kind of evidence."""
        return [
            {"tasks": ", ".join(pair.tasks), "about": section.about, "finding": pair.sentence}
            for section in self.evidence
            for pair in section.pairs
        ]

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
    theme: ThemeName | None = None,
    transparent: bool = False,
) -> Explanation:
    """Say why tasks share or part in a tree of a finished search. The recipe is not imported.

    Args:
        run: a run folder.
        tasks: at least two; every pair of them is explained. By default all tasks of the tree.
        tree: its id (or the beginning), a file, or a name (`nas.run.named_tree`); by default the recommended tree. If
            no trial found the tree, the trial of the recommended tree explains it.
        out: a png, svg or pdf file, into which the transfer map of a measured search is drawn.
        theme, transparent: as for `nas.show`.

    Raises:
        InputError: no such run, tree or task, the search is not finished, or it has no transfer map to draw.
    """
    look = check_look(out, theme, transparent)
    folder = RunFolder.open(Path(run))
    best = folder.front.leading
    found, _ = find(folder.path, tree)
    trial = folder.trial_of(found) or folder.trial(best.trial)
    pairs = pairs_of(found, _checked(tasks, found), trial, folder.front.resource)
    sections = (source(trial, found, pairs) for source in SOURCES)
    transfer = read_transfer_map(trial)
    if out is not None:
        _draw(transfer, trial, out, look, transparent)
    diagnosis = Diagnosis.read(trial.path) or Diagnosis()
    return Explanation(
        found,
        trial.number,
        pairs,
        tuple(section for section in sections if section is not None),
        runners_up(found, diagnosis.margins),
        tuple(verdict for verdict in verdicts(folder, found) if verdict.about != "margin"),
        transfer,
    )


def _draw(
    transfer: TransferMap | None, trial: TrialFolder, out: str | Path, theme: ThemeName, transparent: bool
) -> None:
    if transfer is None:
        raise InputError(
            f"`out` draws what a measured search learned, and {trial.path} has no transfer.json with effects; search "
            "with `preset=measured`"
        )
    from nas.report import draw_transfer_map, save_figure

    save_figure(draw_transfer_map(transfer, theme=theme), out, transparent=transparent)


def _checked(tasks: Sequence[str] | None, tree: BranchTree) -> Sequence[str]:
    tasks = tree.tasks if tasks is None else tasks
    if unknown := [task for task in tasks if task not in tree.tasks]:
        raise InputError(f"`tasks`: {no_such('task', unknown[0], tree.tasks)}")
    if len(set(tasks)) < max(2, len(tasks)):
        known = ", ".join(tree.tasks)
        raise InputError(f"`tasks` names two or more different tasks; found {', '.join(tasks)}, and there are {known}")
    return tasks
