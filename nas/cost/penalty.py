"""Resource penalties: terms that the expected cost adds to the loss of the logits."""

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor

from nas.errors import InputError
from nas.fields import Settings


@dataclass(frozen=True)
class PenaltyState:
    """The state of a penalty: plain numbers, for a checkpoint.

    Args:
        initial_cost: the expected cost at the start of the search, from which the target's ramp starts.
        dual: the dual variable, >= 0.
        progress: progress of the search at the last update, in [0, 1].
    """

    initial_cost: float
    dual: float = 0.0
    progress: float = 0.0

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Any) -> "PenaltyState":
        """The inverse of `to_dict`."""
        fields = ("initial_cost", "dual", "progress")
        if not isinstance(record, dict) or set(record) != set(fields):
            raise InputError(f"a penalty's state has the fields {list(fields)}; found {str(record)[:80]}")
        return cls(**{field: float(record[field]) for field in fields})


class _Penalty(Settings):
    def initial_state(self, expected_cost: float) -> PenaltyState:
        """The state at the start of a search."""
        return PenaltyState(expected_cost)


class FixedPenalty(_Penalty):
    """A fixed weight on the expected cost: ``weight * E[cost] / per``.

    BMTAS (Bruggemann et al., 2020) uses 0.05 per GFLOP, ``FixedPenalty(weight=0.05, per=0.5e9)`` in MACs. A weight of 0
    means no penalty. The budget is not used.

    Args:
        kind: "fixed".
        weight: factor of the expected cost, 0 or more.
        per: the amount of the resource to which the weight applies.
    """

    kind: Literal["fixed"] = "fixed"
    weight: NonNegativeFloat
    per: PositiveFloat = 1.0

    def loss(
        self, state: PenaltyState, expected_cost: Tensor, progress: float, budget: float | None, scale: float
    ) -> Tensor:
        """The term to add to the loss, a scalar."""
        return self.weight * expected_cost / self.per

    def update(
        self, state: PenaltyState, expected_cost: float, progress: float, budget: float | None, scale: float
    ) -> PenaltyState:
        """The state after a step."""
        return replace(state, progress=progress)


class DualPenalty(_Penalty):
    """A weight that grows while the expected cost is above a target, which moves from the initial cost to the budget.

        excess = (E[cost] - target(progress)) / scale
        loss = max(0, dual + rate * damping * excess) * excess         (the factor is a constant for the gradient)
        dual <- max(0, dual + rate * excess * (progress since the last update))

    This is dual ascent on the constraint E[cost] <= budget, with a proportional part (the method of multipliers) that
    damps its oscillation. In problems with logits only, after 300 to 1,000 steps, the final cost was mostly within 1 %
    of the budget with damping, and 5 to 20 % off without. Time is measured as progress, so the same rate works for long
    and short searches. The ramp is necessary: if the budget is the target at once, the dual variable becomes large and
    all tasks collapse into one shared group. A budget above the initial cost is the target from the start.

    At uniform logits the gradient of the expected cost is zero. So the penalty alone does not choose which tasks share;
    it pulls tasks together after their losses have begun to separate them.

    Args:
        kind: "dual".
        ramp: share of the search after which the target is the budget.
        rate: growth of the dual variable in a whole search, per unit of excess.
        damping: share of a search over which the current excess is extrapolated; 0 is plain dual ascent.
    """

    kind: Literal["dual"] = "dual"
    ramp: float = Field(default=0.7, gt=0.0, le=1.0)
    rate: PositiveFloat = 300.0
    damping: NonNegativeFloat = 0.1

    def target(self, state: PenaltyState, progress: float, budget: float) -> float:
        """Linear from the initial cost (or the budget, if that is greater) to the budget, reached at ``ramp``."""
        start = max(state.initial_cost, budget)
        return start + (budget - start) * min(progress / self.ramp, 1.0)

    def loss(
        self, state: PenaltyState, expected_cost: Tensor, progress: float, budget: float | None, scale: float
    ) -> Tensor:
        """The term to add to the loss, a scalar; zero without a budget.

        Args:
            expected_cost: scalar, in the resource's unit, as are ``budget`` and ``scale``.
            progress: progress of the search, in [0, 1].
            budget: an absolute amount; None for no budget.
            scale: the cost of separate networks, so that rate and dual variable do not depend on units.
        """
        if budget is None:
            return 0.0 * expected_cost
        excess = (expected_cost - self.target(state, progress, budget)) / scale
        return max(0.0, state.dual + self.rate * self.damping * excess.item()) * excess

    def update(
        self, state: PenaltyState, expected_cost: float, progress: float, budget: float | None, scale: float
    ) -> PenaltyState:
        """The state after a step at which the expected cost was ``expected_cost``."""
        if budget is None:
            return replace(state, progress=progress)
        excess = (expected_cost - self.target(state, progress, budget)) / scale
        dual = max(0.0, state.dual + self.rate * excess * (progress - state.progress))
        return replace(state, dual=dual, progress=progress)


Penalty = Annotated[FixedPenalty | DualPenalty, Field(discriminator="kind")]
"""The type of a settings field that holds either penalty; ``kind`` says which."""
