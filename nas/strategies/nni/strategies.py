"""The strategies of NNI by which trees are proposed; their fields are NNI's settings. NNI is imported in a search."""

from abc import abstractmethod
from functools import partial
from importlib.util import find_spec
from typing import Any

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from nas.errors import InputError
from nas.strategies.proposals import Proposals, Turn
from nas.strategies.protocol import Problem


class NniProposals(Proposals):
    """Trees that a strategy of NNI proposes; a new one for the turn of each budget."""

    @abstractmethod
    def make(self, seed: int) -> Any:
        """The strategy of NNI, with a seed below 2^32."""

    def check_problem(self, problem: Problem) -> None:
        """InputError if `trainings` do not suffice for the first four trees, or NNI is missing."""
        super().check_problem(problem)
        self._require("nni", "nni")

    def propose(self, turn: Turn) -> None:
        from nas.strategies.nni.engine import explore

        explore(turn, lambda: self.make(turn.seed % 2**32))

    def _require(self, module: str, extra: str) -> None:
        if find_spec(module) is None:
            raise InputError(
                f"strategy {type(self).__name__} needs {module}, which is not installed: "
                f"pip install 'branched-nas[{extra}]'"
            )


class Evolution(NniProposals):
    """NNI's regularised evolution (Real et al., AAAI 2019): the oldest tree leaves, the best one of a few has a child.

    Differs from NNI: the children are changed to keep budget and constraints, and the changed tree is the one in the
    population. With ``batch`` above 1 children are born from trees of earlier batches alone.

    Args:
        population: number of trees that live at a time; so many random ones come first.
        tournament: number of trees that are drawn; the best of them is the parent.
        mutation: probability that a choice of `nas.strategies.nni.encoding` is drawn anew.
        crossover: whether a child has two parents, and each choice from one of them by chance.
    """

    population: PositiveInt = 8
    tournament: PositiveInt = 3
    mutation: float = Field(default=0.1, gt=0.0, le=1.0)
    crossover: bool = False

    @model_validator(mode="after")
    def _tournament_is_within_population(self) -> "Evolution":
        if self.tournament > self.population:
            raise ValueError(
                f"tournament {self.tournament} is larger than the population of {self.population}; choose fewer trees"
            )
        return self

    def make(self, seed: int) -> Any:
        from nas.strategies.nni.library import RegularizedEvolution

        return RegularizedEvolution(
            population_size=self.population,
            sample_size=self.tournament,
            mutation_prob=self.mutation,
            crossover=self.crossover,
            seed=seed,
        )


class TPE(NniProposals):
    """NNI's tree-structured Parzen estimator (Bergstra et al., NeurIPS 2011): choices that good trees had more often.

    It learns each choice on its own, and from the sample that it proposed, not from the tree that keeps budget and
    constraints in its place. Within a batch it takes the trees that wait for as good as the best one.

    Differs from NNI: a sample may be repeated (`nas.strategies.nni.tpe`).

    Args:
        startup: number of random trees that come first; 3 or more, since both good and other trees are needed.
        gamma: the good trees are the best gamma sqrt(N) of N, rounded up.
    """

    startup: int = Field(default=8, ge=3)
    gamma: float = Field(default=0.25, gt=0.0, le=1.0)

    def make(self, seed: int) -> Any:
        from nas.strategies.nni.tpe import RepeatingTPE

        arguments = {"n_startup_jobs": self.startup, "gamma": self.gamma}
        return RepeatingTPE(optimize_mode="maximize", seed=seed, tpe_args=arguments)


class PolicyRL(NniProposals):
    """NNI's reinforcement learning: a recurrent policy makes the choices one after the other and learns by PPO.

    It needs tianshou and gym. The policy learns after every `per_update` proposals, those of known trees included, so
    few trainings leave it nearly random. NNI draws from the global generators here: they have the seed of the turn, and
    the process has its own ones back in each training and after the search.

    Args:
        per_update: number of proposals after which the policy learns from them.
        lr: its learning rate.
    """

    per_update: PositiveInt = 5
    lr: PositiveFloat = 1e-3

    def check_problem(self, problem: Problem) -> None:
        """InputError if `trainings` do not suffice for the first four trees, or NNI, tianshou or gym is missing."""
        super().check_problem(problem)
        for module in ("tianshou", "gym"):
            self._require(module, "nni-rl")

    def make(self, seed: int) -> Any:
        from nas.strategies.nni.library import PolicyBasedRL, default_policy

        return PolicyBasedRL(samples_per_update=self.per_update, policy_fn=partial(default_policy(), lr=self.lr))
