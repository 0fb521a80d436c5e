"""Check that no task of a compared tree is much worse than with a single-task network."""

import logging
import math
import statistics

from nas.errors import InputError, WorkFailed
from nas.run.comparison import Comparison, Row

_LOGGER = logging.getLogger(__name__)


def require_safe(comparison: Comparison, tree_id: str, margin: float) -> None:
    """Raise WorkFailed if a task of a tree is worse than its single-task network by more than a margin.

    A task whose gain over single-task networks is unknown (`nas.training.comparable`) is skipped with a warning.

    Args:
        comparison: a comparison that contains the tree.
        tree_id: the id of a tree that the search found.
        margin: in percent of the single-task network's metrics, 0 or more, on the mean over the seeds.

    Raises:
        WorkFailed: a task is worse; the message names every such task, and the trees that are safe.
        InputError: the margin is negative or not finite, or the tree was not compared.
    """
    check_margin(margin)
    found = {row.name: row for row in comparison.rows if row.kind == "found"}
    if tree_id not in found:
        raise InputError(f"tree {tree_id} was not compared; the compared trees are {', '.join(found)}")
    if unknown := [task for task, gains in found[tree_id].relative.items() if not all(map(math.isfinite, gains))]:
        _LOGGER.warning("%s cannot be judged: the gain over single-task networks is unknown", ", ".join(unknown))
    if worse := _worse(found[tree_id], margin):
        named = ", ".join(f"{task} {gain:+.2f} %" for task, gain in worse.items())
        others = [row.name for row in comparison.rows if row.kind in ("found", "shared") and not _worse(row, margin)]
        also = f"these trees are safe: {', '.join(others)}" if others else "no compared tree is safe"
        raise WorkFailed(
            f"tree {tree_id} is not safe: worse than single-task networks by more than {margin:g} %: {named}; {also}"
        )


def check_margin(margin: float) -> None:
    """InputError unless a margin is a percentage, 0 or more; called before hours of training."""
    if not (math.isfinite(margin) and margin >= 0):
        raise InputError(
            f"`margin` is how many percent a task may be worse than its single-task network, 0 or more; found {margin}"
        )


def _worse(row: Row, margin: float) -> dict[str, float]:
    means = {task: statistics.fmean(gains) for task, gains in row.relative.items()}
    return {task: mean for task, mean in means.items() if mean < -margin}
