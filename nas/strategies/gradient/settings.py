"""The settings of the gradient search, and the published ones."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, model_validator

from nas.cost import DualPenalty, FixedPenalty, Penalty
from nas.engine.compute import ComputeSettings
from nas.engine.optimizer import OptimizerSettings
from nas.fields import Settings
from nas.networks.supernet.samplers import Gumbel, SamplerField
from nas.strategies.similarity.settings import SimilaritySettings


def _named_init(value: Any) -> Any:
    return SimilaritySettings() if value == "similarity" else value


class GradientSettings(Settings):
    """Settings of a bilevel search (BMTAS, Bruggemann et al., BMVC 2020, whose steps each field names).

    Args:
        discretize: "exact" takes the best tree within each budget, or the curve's elbow without budgets; it keeps all
            constraints. "argmax" is the published rule; it can keep neither.
        epochs: passes over the weights' split.
        init: what the search starts from. None starts from fresh weights and uniform logits. Settings of a training of
            own copies (or "similarity" for the default ones) train these first; the candidates then start from the
            copies, and the logits from the trees that the copies suggest.
        warmup: share of the epochs, at the start, in which every task trains its own candidate and the logits do not
            change; at least one epoch if it is not zero, and never the last one. The default is 0.05, or 0 with
            `init`, which replaces the warm-up.
        batch_size: of both passes; batch statistics need two samples.
        num_candidates: C; by default the number of tasks.
        routing: "soft" mixes all candidates. "hard" samples one candidate per task and block: only this one runs in
            the weights' pass, and all run in the logits' pass for straight-through gradients. "one_path" runs only the
            sampled candidates in both passes, and the logits learn from these (see `logits_step`).
        sampler: what turns the logits into weights of the candidates (`nas.networks.supernet.samplers`): "gumbel" (as
            published), "dselect_k" or "entmax", or settings of one. The two others draw a candidate only for "hard"
            and "one_path" routing.
        temperature: temperature of the sampler; after the warm-up it changes linearly, epoch by epoch, from the first
            value to the second, (5, 0.1) by default. "dselect_k" has none.
        weight_step: "per_task" is one optimiser step per task and batch, as published; "joint" is one step on
            the weighted sum of the tasks' losses.
        weights, logits: the two optimisers.
        reset_optimizers: reset the states of both optimisers at the start of every pass.
        reset_statistics: reset the running statistics of BatchNorm after the logits' pass, which uses batch statistics
            like the weights' pass.
        affine_last_norm: keep scale and shift of each candidate's last BatchNorm.
        equal_start: all candidates of a block start from the same weights.
        penalty: the penalty on the expected cost, in the logits' pass. Its target is the largest budget; the exact
            discretisation finds the trees of the smaller ones. The search itself does not know the goal's constraints.
        candidates: "plain" runs the candidates of a block one after another; "batched" runs them together where a block
            allows it, with the same results up to rounding; "auto" does so where it is faster (`Supernet.execute`).
        checkpoint_activations: keep only the inputs of candidates for the backward pass, and compute the rest again:
            less memory, more time, the same results.
        compute: precision, memory format and compilation.
    """

    discretize: Literal["exact", "argmax"] = "exact"
    epochs: PositiveInt = 20
    init: Annotated[SimilaritySettings | None, BeforeValidator(_named_init)] = None
    warmup: float | None = Field(default=None, ge=0.0, lt=1.0)
    batch_size: int = Field(default=64, ge=2)
    num_candidates: PositiveInt | None = None
    routing: Literal["soft", "hard", "one_path"] = "soft"
    sampler: SamplerField = Gumbel()
    temperature: tuple[PositiveFloat, PositiveFloat] | None = None
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
                f"warmup {self.warmup:g}: init already trains own copies instead of a warm-up; leave one of the two out"
            )
        return self

    @model_validator(mode="after")
    def _fits_the_sampler(self) -> "GradientSettings":
        kind = self.sampler.kind
        if self.temperature is not None and not self.sampler.has_temperature:
            raise ValueError(f"temperature {self.temperature}: the sampler {kind!r} has none; leave it out (null)")
        if self.init is not None and kind != "gumbel":
            raise ValueError(
                f"init gives logits to start from, and the sampler {kind!r} cannot hold them; leave it out"
            )
        return self

    @property
    def warmup_epochs(self) -> int:
        """Number of epochs before the first logits step."""
        share = (0.05 if self.init is None else 0.0) if self.warmup is None else self.warmup
        return min(max(1, round(self.epochs * share)), self.epochs - 1) if share else 0

    def temperature_at(self, epoch: int) -> float:
        """Linear per epoch from the first value to the last, which the final epoch reaches."""
        start, end = self.temperature or (5.0, 0.1)
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
