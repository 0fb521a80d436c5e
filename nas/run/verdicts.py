"""What the trials of a run conclude about their results, in words."""

from nas.run.pooled_record import read_pooled
from nas.run.run_folder import RunFolder
from nas.strategies.diagnosis import Diagnosis, Verdict, judge_seeds
from nas.tree import BranchTree, read_tree


def verdicts(run: RunFolder, tree: BranchTree | None = None) -> list[Verdict]:
    """The verdicts of the trials that found a tree and, in a finished run, those on all trials together.

    Args:
        tree: by default, the tree that the front recommends, or else its first tree. For a tree that no trial found,
            only the verdicts on all trials are returned.
    """
    front = run.front.points if run.finished else ()
    found = _default_tree(run) if tree is None else tree
    if (pooled := read_pooled(run).find(found.id)) is not None:
        diagnosis: Diagnosis | None = pooled[0].diagnosis
    else:
        trial = run.trial_of(found)
        diagnosis = None if trial is None else Diagnosis.read(trial.path)
    points = [point for point in front if not point.pooled and point.constraints is None]
    seeds = judge_seeds([(point.seed, point.budget, read_tree(run.path / point.tree)) for point in points])
    return [*(diagnosis.verdicts if diagnosis else ()), *seeds]


def concern_lines(run: RunFolder, tree: BranchTree | None = None) -> list[str]:
    """One line for each concern about a tree, and the command that says more; nothing for a tree without verdicts.

    Margins are left out, since the tree's grade says the same. For a pooled tree there is a line for each split with
    the number of seeds that agree.

    Args:
        tree: by default, as for `verdicts`.
    """
    found = _default_tree(run) if tree is None else tree
    pooled, every = read_pooled(run).find(found.id), verdicts(run, found)
    lines = [] if pooled is None else pooled[1].in_words()
    left_out = ("margin",) if pooled is None else ("margin", "seeds")
    lines += [f"! {one.line or one.text}" for one in every if one.concern and one.about not in left_out]
    return [*lines, f"nas explain {run.path} says more"] if every else lines


def _default_tree(run: RunFolder) -> BranchTree:
    return read_tree(run.path / run.front.leading.tree)
