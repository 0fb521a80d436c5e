"""What a search can be told, and the published setting by its name."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from nas.cost import DualPenalty, FixedPenalty, Penalty
from nas.engine.compute import ComputeSettings
from nas.engine.optimizer import OptimizerSettings
from nas.strategies.similarity.settings import SimilaritySettings


def _named_init(value: Any) -> Any:
    return SimilaritySettings() if value == "similarity" else value


class GradientSettings(BaseModel):
    """Settings of a bilevel search (BMTAS, Bruggemann et al., BMVC 2020, whose steps each field names).

    Args:
        discretize: "exact" takes the best tree within each budget, or the curve's elbow without budgets; it keeps all
            constraints. "argmax" is the published rule; it can keep neither.
        epochs: passes over the weights' split.
        init: the training of own copies that the search starts from: settings, or "similarity" for the default
            ones. Candidates start from the copies, and the logits from the trees that the copies suggest. None:
            fresh weights and uniform logits.
        warmup: share of the epochs, at the start, in which every task trains its own copies and the logits
            rest; at least one epoch if it is not zero, and never the last one. Left out, it is 0.05, or 0 after `init`,
            which takes its place.
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
        penalty: on the expected cost, in the logits' pass. It aims at the largest budget; the exact discretisation
            cuts trees down to the others. The supernet is searched without the goal's constraints.
        candidates: "plain" runs the candidates of a block one after another; "batched" runs them together where a block
            allows it, with the same results up to rounding; "auto" does so where it pays (`Supernet.set_execution`).
        checkpoint_activations: keep only the inputs of candidates for the backward pass and run them again there: less
            memory, more time, the same results.
        compute: precision, memory format and compilation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    discretize: Literal["exact", "argmax"] = "exact"
    epochs: PositiveInt = 20
    init: Annotated[SimilaritySettings | None, BeforeValidator(_named_init)] = None
    warmup: float | None = Field(default=None, ge=0.0, lt=1.0)
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
    def _one_warmup(self) -> "GradientSettings":
        if self.init is not None and self.warmup:
            raise ValueError(
                f"warmup {self.warmup:g}: the own copies of init take the place of a warm-up; leave one of the two out"
            )
        return self

    @property
    def warmup_epochs(self) -> int:
        """Epochs before the logits' first step."""
        share = (0.05 if self.init is None else 0.0) if self.warmup is None else self.warmup
        return min(max(1, round(self.epochs * share)), self.epochs - 1) if share else 0

    def temperature_at(self, epoch: int) -> float:
        """Linear per epoch from the first value to the last, which the final epoch reaches."""
        start, end = self.temperature
        first, last = self.warmup_epochs, self.epochs - 1
        progress = 1.0 if last <= first else min(max((epoch - first) / (last - first), 0.0), 1.0)
        return start + (end - start) * progress


def published() -> dict[str, Any]:
    """The published setting of BMTAS, from its paper and code, as fields of `GradientSettings`.

    160 epochs, batch 16, 1/20 warm-up, temperature 5 to 0.1, soft routing, one weight step per task, Adam 1e-3
    (decay 1e-4) and 1e-2 (5e-5), states reset at every pass, expected GFLOPs times 0.05 (a multiply and an add
    are two FLOPs, so 1 GFLOP is 0.5e9 MACs), arg-max.
    """
    return {
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
    }
