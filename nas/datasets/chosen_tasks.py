"""Which of a data set's labels are read."""

from collections.abc import Mapping, Sequence

from nas.data.augmentation.kinds import LabelKind
from nas.errors import InputError


def chosen_kinds(known: Mapping[str, LabelKind], tasks: Sequence[str], source: str) -> dict[str, LabelKind]:
    """The kinds of these tasks; InputError if the source has no labels for one of them."""
    if unknown := sorted(set(tasks) - set(known)):
        raise InputError(f"{source} has no labels for {', '.join(unknown)}; its tasks are {', '.join(known)}")
    return {task: kind for task, kind in known.items() if task in tasks}
