"""Optuna's proposals as a search algorithm of Tune's.

Tune's own `OptunaSearch` forgets what was being tried when the driver died, and is restored by unpickling a file of the
run; the study that `Proposals` keeps remembers, and is read as data.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ray.tune.search import Searcher

from nas.launch.study import Proposals


class StudySearch(Searcher):
    """Proposes the trials of the given numbers, in their order."""

    def __init__(self, proposals: Proposals, numbers: Sequence[int]) -> None:
        super().__init__()
        self._proposals = proposals
        self._numbers = list(numbers)

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune stores itself with its search algorithm, and nobody goes on from that."""
        return {}

    def suggest(self, trial_id: str) -> Any:
        if not self._numbers:
            return Searcher.FINISHED
        return {"trial": self._proposals.next(self._numbers.pop(0)).to_dict()}

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        """Nothing: the study is told what lies in the trial's folder, by whoever looks there."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the study is all the state there is."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the study is all the state there is."""
