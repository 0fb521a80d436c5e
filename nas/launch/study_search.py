"""Optuna's proposals as a search algorithm for Tune.

Tune's own `OptunaSearch` forgets the running trials when the driver is killed, and is restored by unpickling a file in
the run folder. The study of `Proposals` remembers them, and is read without unpickling.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ray.tune.search import Searcher

from nas.launch.study import Proposals


class StudySearch(Searcher):
    """Proposes the trials with the given numbers, in this order."""

    def __init__(self, proposals: Proposals, numbers: Sequence[int]) -> None:
        super().__init__()
        self._proposals = proposals
        self._numbers = list(numbers)

    def __getstate__(self) -> dict[str, Any]:
        """Empty: Tune stores its search algorithm with its own state, which is never read."""
        return {}

    def suggest(self, trial_id: str) -> Any:
        if not self._numbers:
            return Searcher.FINISHED
        return {"trial": self._proposals.next(self._numbers.pop(0)).to_dict()}

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        """Does nothing: `TrialOutcomes` reports outcomes to the study."""

    def save(self, checkpoint_path: str) -> None:
        """Does nothing: all state is in the study."""

    def restore(self, checkpoint_path: str) -> None:
        """Does nothing: all state is in the study."""
