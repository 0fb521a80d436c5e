"""Optuna's study of a run: what it proposes for the trials, and what it is told of them.

The study lies in the run folder, so it outlives the driver, and Optuna's own tools open it. Each of its trials holds
the number of ours as a user attribute; a trial that failed and is run again is a new one there, with the same values.
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
"""Of the study in its file."""

BUDGET = "budget"
"""The parameter that a trial's own budget is to Optuna; it is given, not proposed."""

_FILES = {"journal": "study.journal", "sqlite": "study.db"}


def make_sampler(name: str, seed: int) -> "optuna.samplers.BaseSampler":
    """One of Optuna's samplers. TPE looks at all fields together and at what is being tried elsewhere."""
    from optuna import samplers

    kinds: dict[str, Callable[..., optuna.samplers.BaseSampler]] = {
        "tpe": lambda seed: samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True),
        "random": samplers.RandomSampler,
        "nsga2": samplers.NSGAIISampler,
        "nsga3": samplers.NSGAIIISampler,
        "qmc": samplers.QMCSampler,
    }
    with warnings.catch_warnings():
        # Looking at fields together is called experimental since 2020.
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
        """A trial of the plan with its values: those it was begun with, or new ones."""
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
        """Tell the study how a trial ended: quality and cost of its best tree, or that there is none."""
        from optuna.trial import TrialState

        running = [
            trial
            for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
            if trial.user_attrs.get("trial") == number
        ]
        if not running:
            return
        if isinstance(outcome, TrialResult) and outcome.points:
            best = outcome.best
            values = {"quality": best.quality.value, "cost": best.cost[self._resource]}
            self._study.tell(running[0].number, [values[name] for name in self._settings.objectives])
        else:
            state = TrialState.PRUNED if isinstance(outcome, TrialResult) else TrialState.FAIL
            self._study.tell(running[0].number, state=state)

    def _drop_unfinished_proposals(self) -> None:
        """What a driver left that was killed while it asked: a trial without values, or with some of them."""
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
        """A choice is stored as JSON, for Optuna keeps no lists."""
        return json.loads(value) if isinstance(self._settings.ranges[name], OneOf) else value

    def _open(self, folder: Path) -> "optuna.Study":
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path = (folder / _FILES[self._settings.study_file]).resolve()
        directions: dict[str, Literal["maximize", "minimize"]] = {"quality": "maximize", "cost": "minimize"}
        try:
            return optuna.create_study(
                storage=_journal(path) if self._settings.study_file == "journal" else f"sqlite:///{path}",
                study_name=NAME,
                directions=[directions[name] for name in self._settings.objectives],
                load_if_exists=True,
            )
        except Exception as error:
            raise InputError(f"{path}: not a study that can be continued ({in_one_line(error)})") from error


def _journal(path: Path) -> "optuna.storages.JournalStorage":
    """Optuna's journal, as a driver may have left it that was killed: with its lock, or with half a line at the end."""
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    # The run has one writer, and that is this process.
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
