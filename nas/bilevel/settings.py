"""What a search can be told, and the published setting by its name."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from nas.compute import ComputeSettings
from nas.cost import DualPenalty, FixedPenalty, Penalty
from nas.discretize import Constraints
from nas.optimizer import OptimizerSettings


class SearchSettings(BaseModel):
    """Settings of a bilevel search (BMTAS, Bruggemann et al., BMVC 2020, whose steps each field names).

    Args:
        budgets: what the trees may cost, each a share in (0, 1] of the cost of T single-task networks or an
            absolute amount of the resource. One training gives a tree for each; the penalty aims at the largest,
            and discretisation cuts down to the others. Without budgets the dual penalty has no target and
            rests, and the tree is the curve's elbow, or the arg-max.
        resource: what is counted.
        discretize: "exact" is the best tree within each budget; "argmax" is the published rule, which cannot
            keep one.
        constraints: who must share, who must not, and what a task may add; the exact discretisation keeps them, in
            every tree. The supernet itself is searched without, so its expected cost knows nothing of them.
        measure: which trees are retrained once the search is over, so that their quality is measured and no longer
            estimated: "none", "all", or a number of the best.
        epochs: passes over the weights' split.
        init: what the search starts from: "uniform" logits and fresh weights, or "similarity": an own-copy warm-up
            before the first epoch (`Experiment.similarity`), whose copies the candidates and whose trees the logits
            start from. It takes the place of the search's own warm-up, and ``warmup`` is not used.
        warmup: share of the epochs, at the start, in which every task trains its own copies and the logits
            rest; at least one epoch if it is not zero, and never the last one.
        batch_size: of both passes; batch statistics need two samples.
        num_candidates: C; the number of tasks if left out.
        routing: "soft" mixes candidates; "hard" uses one per task and block, in the weights' pass running no other,
            in the logits' pass with straight-through gradients, for which all candidates run; "one_path" runs no
            other in either pass, and its logits learn from the sampled candidates (`logits_step` says how).
        temperature: of the Gumbel-softmax, linear per epoch from the first value to the second after warm-up.
        weight_step: "per_task" is one optimiser step per task and batch, as published; "joint" is one step on
            the weighted sum of the tasks' losses.
        weights, logits: the two optimisers.
        reset_optimizers: forget both optimisers' states at the start of every pass.
        reset_statistics: forget the BatchNorms' running statistics after the logits' pass, which runs on batch
            statistics like the weights' pass.
        affine_last_norm: keep scale and shift of each candidate's last BatchNorm.
        equal_start: all candidates of a block start from the same weights.
        penalty: the resource penalty in the logits' pass.
        candidates: "plain" runs the candidates of a block one after another; "batched" runs them together where a block
            allows it, with the same results up to rounding; "auto" does so where it pays (`Supernet.execute`).
        checkpoint_activations: keep only the inputs of candidates for the backward pass and run them again there: less
            memory, more time, the same results.
        compute: precision, memory format and compilation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    budgets: tuple[PositiveFloat, ...] = ()
    resource: Literal["macs", "params", "ms"] = "macs"
    discretize: Literal["exact", "argmax"] = "exact"
    constraints: Constraints = Constraints()
    measure: Literal["none", "all"] | Annotated[int, Field(strict=True, ge=1)] = "none"
    epochs: PositiveInt = 20
    init: Literal["uniform", "similarity"] = "uniform"
    warmup: float = Field(default=0.05, ge=0.0, lt=1.0)
    batch_size: int = Field(default=64, ge=2)
    num_candidates: PositiveInt | None = None
    routing: Literal["soft", "hard", "one_path"] = "soft"
    temperature: tuple[PositiveFloat, PositiveFloat] = (5.0, 0.1)
    weight_step: Literal["per_task", "joint"] = "joint"
    weights: OptimizerSettings = OptimizerSettings(kind="adam", lr=1e-3, weight_decay=1e-4)
    logits: OptimizerSettings = OptimizerSettings(kind="adam", lr=1e-2, weight_decay=5e-5)
    reset_optimizers: bool = True
    reset_statistics: bool = True
    affine_last_norm: bool = False
    equal_start: bool = True
    penalty: Penalty = DualPenalty()
    candidates: Literal["auto", "plain", "batched"] = "auto"
    checkpoint_activations: bool = False
    compute: ComputeSettings = ComputeSettings()

    @model_validator(mode="after")
    def _consistent(self) -> "SearchSettings":
        if self.discretize == "argmax" and self.budgets:
            raise ValueError(
                f"the arg-max tree cannot keep a budget; leave budgets {list(self.budgets)} out, or use 'exact'"
            )
        if self.discretize == "argmax" and not self.constraints.empty:
            raise ValueError("the arg-max tree cannot keep constraints; leave them out, or use 'exact'")
        return self

    @property
    def warmup_epochs(self) -> int:
        if self.warmup == 0.0 or self.init == "similarity":
            return 0
        return min(max(1, round(self.epochs * self.warmup)), self.epochs - 1)

    def temperature_at(self, epoch: int) -> float:
        """Linear per epoch from the first value to the last, which the final epoch reaches."""
        start, end = self.temperature
        first, last = self.warmup_epochs, self.epochs - 1
        progress = 1.0 if last <= first else min(max((epoch - first) / (last - first), 0.0), 1.0)
        return start + (end - start) * progress


def bmtas(**changes: Any) -> SearchSettings:
    """The published setting of BMTAS (METHODS of its paper and code), with named changes.

    160 epochs, batch 16, 1/20 warm-up, temperature 5 to 0.1, soft routing, one weight step per task, Adam 1e-3
    (decay 1e-4) and 1e-2 (5e-5), states reset at every pass, expected GFLOPs times 0.05 (a multiply and an add
    are two FLOPs, so 1 GFLOP is 0.5e9 MACs), arg-max.
    """
    published: dict[str, Any] = {
        "epochs": 160,
        "warmup": 1 / 20,
        "batch_size": 16,
        "routing": "soft",
        "temperature": (5.0, 0.1),
        "weight_step": "per_task",
        "weights": OptimizerSettings(kind="adam", lr=1e-3, weight_decay=1e-4),
        "logits": OptimizerSettings(kind="adam", lr=1e-2, weight_decay=5e-5),
        "reset_optimizers": True,
        "reset_statistics": True,
        "affine_last_norm": False,
        "equal_start": True,
        "penalty": FixedPenalty(weight=0.05, per=0.5e9),
        "discretize": "argmax",
        "budgets": (),
    }
    return SearchSettings(**{**published, **changes})


SETTINGS: dict[str, Callable[..., SearchSettings]] = {"bmtas": bmtas, "default": SearchSettings}
"""Settings that a recipe or ``--set search=NAME`` can name."""
