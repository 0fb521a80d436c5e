"""Resource penalties: what the loss of the logits gets for an expected cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat
from torch import Tensor

from nas.errors import InputError


@dataclass(frozen=True)
class PenaltyState:
    """What a penalty remembers: plain numbers, for a checkpoint.

    Args:
        initial_cost: the expected cost at the start of the search, where the target's ramp starts.
        dual: the dual variable, >= 0.
        progress: that of the last update.
    """

    initial_cost: float
    dual: float = 0.0
    progress: float = 0.0

    def to_dict(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Any) -> PenaltyState:
        """The inverse of `to_dict`."""
        fields = ("initial_cost", "dual", "progress")
        if not isinstance(record, dict) or set(record) != set(fields):
            raise InputError(f"a penalty's state has the fields {list(fields)}; found {str(record)[:80]}")
        return cls(**{field: float(record[field]) for field in fields})


class FixedPenalty(BaseModel):
    """A fixed weight on the expected cost: ``weight * E[cost] / per``.

    BMTAS (Bruggemann et al., 2020) has 0.05 per GFLOP, ``FixedPenalty(weight=0.05, per=0.5e9)`` in MACs. Without a
    penalty the weight is 0. The budget plays no part in it.

    Args:
        weight: >= 0.
        per: amount of the resource that the weight is for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["fixed"] = "fixed"
    weight: NonNegativeFloat
    per: PositiveFloat = 1.0

    def initial_state(self, expected_cost: float) -> PenaltyState:
        return PenaltyState(expected_cost)

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


class DualPenalty(BaseModel):
    """A weight that grows while the expected cost is above a target, which is led from the initial cost to the budget.

        excess = (E[cost] - target(progress)) / scale
        loss = max(0, dual + rate * damping * excess) * excess         (the factor is a constant for the gradient)
        dual <- max(0, dual + rate * excess * (progress since the last update))

    This is dual ascent on the constraint E[cost] <= budget, with a proportional part (the method of multipliers) that
    damps its oscillation: on problems of logits alone, 300 to 1,000 steps, the final cost was mostly within 1 % of the
    budget with it, and 5 to 20 % off without. Time is progress, so that the same rate serves long and short searches.
    The ramp matters: a dual variable that meets the budget at once grows large and collapses everything to one shared
    group. A budget above the initial cost is the target from the start.

    At uniform logits the gradient of the expected cost is zero: the penalty pulls together what the tasks' losses
    have begun to tell apart, and does not choose by itself who shares.

    Args:
        ramp: share of the search after which the target is the budget.
        rate: growth of the dual variable in a whole search, per unit of excess.
        damping: share of a search by which the present excess is counted ahead; 0 is plain dual ascent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["dual"] = "dual"
    ramp: float = Field(default=0.7, gt=0.0, le=1.0)
    rate: PositiveFloat = 300.0
    damping: NonNegativeFloat = 0.1

    def initial_state(self, expected_cost: float) -> PenaltyState:
        return PenaltyState(expected_cost)

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
            progress: of the search, in [0, 1].
            budget: absolute; None if the user states none.
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
"""A field of settings: either penalty, told apart by ``kind``."""
