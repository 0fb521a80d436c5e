"""Optuna's study of a run: it proposes values for the trials, and learns how they ended.

The study is a file in the run folder, so it outlives the driver, and Optuna's own tools can open it. Each trial of the
study has the number of the run's trial as a user attribute. A failed trial that is run again becomes a new trial of the
study with the same values.
"""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nas.data import derive_seed
from nas.errors import InputError, in_one_line
from nas.files import write_bytes_atomically
from nas.recipe import Experiment, Int, LogUniform, OneOf, Range
from nas.run import Outcome, Trial, TrialResult

if TYPE_CHECKING:
    import optuna

NAME = "trials"
"""The name of the study in its file."""

BUDGET = "budget"
"""Optuna's parameter for a trial's own budget; its value is given, not proposed."""

_FILE = "study.journal"


def make_sampler(name: str, seed: int) -> "optuna.samplers.BaseSampler":
    """One of Optuna's samplers. TPE models all fields together and avoids values of running trials."""
    from optuna import samplers

    kinds: dict[str, Callable[..., optuna.samplers.BaseSampler]] = {
        "tpe": lambda seed: samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True),
        "random": samplers.RandomSampler,
        "qmc": samplers.QMCSampler,
    }
    with warnings.catch_warnings():
        # Optuna warns that multivariate TPE is experimental, which it has been since 2020.
        warnings.simplefilter("ignore")
        return kinds[name](seed=seed)


class Proposals:
    """The trials of an experiment with ranges: the planned ones, completed by values from Optuna.

    Proposal n depends on the experiment's seed, n, and what the study knew when it was made, so an interrupted study
    that is continued proposes what it would have proposed.

    Args:
        folder: the run's.
        planned: the run's trials without values (`plan_trials`), in the order of their numbers.
    """

    def __init__(self, experiment: Experiment, folder: Path, planned: Sequence[Trial]) -> None:
        self.experiment = experiment
        self.planned = list(planned)
        self._resource = experiment.goal.resource
        self._settings = experiment.trials
        self._distributions = _distributions(experiment)
        self._study = self._open(folder)
        self._drop_unfinished_proposals()

    def next(self, number: int) -> Trial:
        """A planned trial with its values: the ones it was begun with, or new ones."""
        from optuna.trial import TrialState

        known = {trial.user_attrs.get("trial"): trial for trial in self._study.get_trials(deepcopy=False)}
        before = known.get(number)
        if before is None or before.state != TrialState.RUNNING:
            self._enqueue(number, before.params if before is not None and self._is_whole(before) else {})
            before = self._ask(number)
        values = {name: self._plain(name, value) for name, value in before.params.items() if name != BUDGET}
        planned = self.planned[number]
        return Trial(number, planned.budget, planned.seed, values)

    def tell(self, number: int, outcome: Outcome) -> None:
        """Report how a trial ended to the study: quality and cost of its best tree, or that it has none."""
        from optuna.trial import TrialState

        running = [
            trial
            for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if trial.user_attrs.get("trial") == number
        ]
        if not running:
            return
        if isinstance(outcome, TrialResult) and (best := outcome.best) is not None:
            values = {"quality": best.quality.value, "cost": best.cost[self._resource]}
            self._study.tell(running[0].number, [values[name] for name in self._settings.objectives])
        else:
            state = TrialState.PRUNED if isinstance(outcome, TrialResult) else TrialState.FAIL
            self._study.tell(running[0].number, state=state)

    def _drop_unfinished_proposals(self) -> None:
        """End the trials without all values that a driver left in the study when it was killed."""
        from optuna.trial import TrialState

        for _ in self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            self._study.ask()
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if not self._is_whole(trial):
                self._study.tell(trial.number, state=TrialState.FAIL)

    def _is_whole(self, trial: "optuna.trial.FrozenTrial") -> bool:
        return trial.params.keys() == self._distributions.keys()

    def _enqueue(self, number: int, params: Mapping[str, Any]) -> None:
        planned = self.planned[number]
        fixed = dict(params)
        if BUDGET in self._distributions:
            fixed[BUDGET] = planned.budget
        self._study.enqueue_trial(fixed, user_attrs={"trial": number, "seed": planned.seed})

    def _ask(self, number: int) -> "optuna.trial.FrozenTrial":
        # numpy's older generators, which Optuna uses, take 32 bits.
        seed = derive_seed(self.experiment.seed, "proposal", number) % 2**32
        self._study.sampler = make_sampler(self._settings.sampler, seed)
        asked = self._study.ask(self._distributions)
        assert asked.user_attrs["trial"] == number
        return self._study.get_trials(deepcopy=False)[asked.number]

    def _plain(self, name: str, value: Any) -> Any:
        """The value of a field; choices are stored as JSON, because Optuna cannot store lists."""
        return json.loads(value) if isinstance(self._settings.ranges[name], OneOf) else value

    def _open(self, folder: Path) -> "optuna.Study":
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path = (folder / _FILE).resolve()
        directions: dict[str, Literal["maximize", "minimize"]] = {"quality": "maximize", "cost": "minimize"}
        try:
            return optuna.create_study(
                storage=_journal(path),
                study_name=NAME,
                directions=[directions[name] for name in self._settings.objectives],
                load_if_exists=True,
            )
        except Exception as error:
            raise InputError(f"{path}: not a study that can be continued ({in_one_line(error)})") from error


def _journal(path: Path) -> "optuna.storages.JournalStorage":
    """Open Optuna's journal; a driver that was killed may have left its lock, or half a line at the end."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    # This process holds the run's lock, so no other one writes to the journal.
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
    if path.is_file():
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            write_bytes_atomically(path, whole)
    return JournalStorage(JournalFileBackend(str(path)))


def _distributions(experiment: Experiment) -> dict[str, "optuna.distributions.BaseDistribution"]:
    from optuna.distributions import CategoricalDistribution

    found: dict[str, optuna.distributions.BaseDistribution] = {
        name: _distribution(interval) for name, interval in sorted(experiment.trials.ranges.items())
    }
    if len(experiment.trials.budgets) > 1:
        found[BUDGET] = CategoricalDistribution(experiment.trials.budgets)
    return found


def _distribution(interval: Range) -> "optuna.distributions.BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(interval, OneOf):
        return CategoricalDistribution([json.dumps(value) for value in interval.values])
    if isinstance(interval, Int):
        return IntDistribution(interval.low, interval.high)
    return FloatDistribution(interval.low, interval.high, log=isinstance(interval, LogUniform))
