"""A run as a value: everything that its folder says, read without its recipe."""

from collections.abc import Sequence
from typing import Any, ClassVar

from nas.display import Displayed
from nas.run.comparison import Comparison
from nas.run.costs import read_costs
from nas.run.curve_record import CurveRecord
from nas.run.run_folder import RunFolder
from nas.run.trained_network import TrainedNetwork
from nas.run.trial_folder import TrialFolder
from nas.strategies.similarity.dissimilarity import FILE, Dissimilarity, read_dissimilarity
from nas.strategies.transfer.transfer_map import TransferMap
from nas.tree import BranchTree, CostTable, read_tree


class Run(Displayed, RunFolder):
    """A run folder with its results, which show themselves in a notebook (`nas.display`).

    Results of one search are those of the trial that found the recommended tree. Every property reads its files anew.
    """

    picture: ClassVar[str | None] = "run"

    @property
    def trees(self) -> dict[str, BranchTree]:
        """All trees of the run by id, in the order of the front; then those that were given to it."""
        found = [self.path / point.tree for point in self.front.points] if self.finished else []
        return {path.stem: read_tree(path) for path in [*found, *self.given_trees]}

    @property
    def cost_table(self) -> CostTable | None:
        """What each part of the networks costs."""
        return read_costs(self)

    @property
    def curve(self) -> CurveRecord | None:
        """The best tree for every cost; None if the strategy has no curve."""
        return self._leading.curve

    @property
    def dissimilarity(self) -> Dissimilarity | None:
        """How much tasks differ at each block; None if the strategy did not compare own copies."""
        folder = self._leading.path
        return read_dissimilarity(folder) if (folder / FILE).is_file() else None

    @property
    def transfer_map(self) -> TransferMap | None:
        """Which task helps and hurts which; None unless the search was a measured one."""
        from nas.run.evidence import read_transfer_map

        return read_transfer_map(self._leading)

    @property
    def comparison(self) -> Comparison | None:
        """What `nas compare` measured; None if it has not finished."""
        folder = self.path / "compare"
        return Comparison.read(folder) if (folder / "results.json").is_file() else None

    @property
    def trained(self) -> list[TrainedNetwork]:
        """The results of all finished trainings."""
        return [TrainedNetwork.read(path) for path in sorted(self.path.glob("retrained/*/*/result.json"))]

    @property
    def _leading(self) -> TrialFolder:
        return self.trial(self.front.leading.trial if self.finished else 0)

    def summary(self) -> str:
        if self.finished:
            return f"{self.path}: {self.front.summary()}"
        state = "retrained trees" if self.only_retrained else "the search is not finished"
        return f"{self.path}: {state}"

    def records(self) -> Sequence[dict[str, Any]]:
        """The lines of the front; of a run without a search, its trainings."""
        if self.finished:
            return self.front.records()
        return [{"tree": one.tree_id, "seed": one.seed, "start": one.start, **_metrics(one)} for one in self.trained]


def _metrics(trained: TrainedNetwork) -> dict[str, float]:
    return {f"{task}.{name}": value for task, values in trained.test.items() for name, value in values.items()}
