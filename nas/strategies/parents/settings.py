"""The settings of parent choice, and the published ones."""

from typing import Any, Literal

from pydantic import Field, PositiveInt, model_validator

from nas.cost import DualPenalty, FixedPenalty, Penalty
from nas.engine.compute import ComputeSettings
from nas.engine.optimizer import OptimizerSettings
from nas.errors import InputError
from nas.fields import Settings
from nas.networks.supernet.samplers import Gumbel, SamplerField
from nas.strategies.parents.temperature import TemperatureSettings

NODES = 5
"""Nodes of a block by default, as many as Learning to Branch has on Taskonomy; never more than tasks."""


class ParentSettings(Settings):
    """Settings of a search by parent choice (Learning to Branch, Guo et al., ICML 2020).

    Args:
        discretize: "exact" takes the best tree within each budget, or the curve's elbow without budgets; it keeps all
            constraints. "argmax" is the published rule; it can keep neither. No tree has more groups at a block than
            the block has nodes.
        epochs: passes over the splits.
        warmup: share of the epochs, at the start, in which the logits do not change; at least one epoch if it is not
            zero, and never the last one.
        batch_size: of every step; batch statistics need two samples.
        splits: the splits to train on; by default all that retraining uses, since weights and logits learn from the
            same samples.
        nodes: number of nodes of each block, or one number for all; by default 5, or the number of tasks if it is less.
        routing: every step runs the network of sampled choices. "hard" also runs the nodes that were not chosen, for
            straight-through gradients, as published. "one_path" does not, and the logits learn from the chosen parents
            only.
        sampler: what chooses parents by the logits (`nas.networks.supernet.samplers`): "gumbel" (as published),
            "dselect_k" or "entmax", or settings of one.
        temperature: temperature of the sampler. "dselect_k" has none.
        weights, logits: the two optimisers.
        penalty: the penalty on the expected cost. Its target is the largest budget; the exact discretisation finds the
            trees of the smaller ones. The search itself does not know the goal's constraints.
        checkpoint_activations: keep only the inputs of nodes for the backward pass, and compute the rest again: less
            memory, more time, the same results.
        compute: precision, memory format and compilation.
    """

    discretize: Literal["exact", "argmax"] = "exact"
    epochs: PositiveInt = 20
    warmup: float = Field(default=0.1, ge=0.0, lt=1.0)
    batch_size: int = Field(default=64, ge=2)
    splits: tuple[Literal["train", "architecture"], ...] = Field(default=("train", "architecture"), min_length=1)
    nodes: PositiveInt | tuple[PositiveInt, ...] | None = None
    routing: Literal["hard", "one_path"] = "hard"
    sampler: SamplerField = Gumbel()
    temperature: TemperatureSettings = TemperatureSettings()
    weights: OptimizerSettings = OptimizerSettings(kind="adam", lr=1e-3)
    logits: OptimizerSettings = OptimizerSettings(kind="adam", lr=1e-2)
    penalty: Penalty = DualPenalty()
    checkpoint_activations: bool = False
    compute: ComputeSettings = ComputeSettings()

    @model_validator(mode="after")
    def _fits_the_sampler(self) -> "ParentSettings":
        if self.temperature != TemperatureSettings() and not self.sampler.has_temperature:
            raise ValueError(f"temperature: the sampler {self.sampler.kind!r} has none; leave it out")
        return self

    @property
    def warmup_epochs(self) -> int:
        """Number of epochs before the logits change."""
        return min(max(1, round(self.epochs * self.warmup)), self.epochs - 1) if self.warmup else 0

    def nodes_of(self, num_blocks: int, num_tasks: int) -> tuple[int, ...]:
        """The number of nodes of each block.

        Raises:
            InputError: the settings have another number of blocks.
        """
        if isinstance(self.nodes, tuple):
            if len(self.nodes) != num_blocks:
                raise InputError(
                    f"strategy.nodes has {len(self.nodes)} numbers, and the backbone {num_blocks} blocks; give one "
                    "number for each block, or one for all"
                )
            return self.nodes
        return (min(num_tasks, NODES) if self.nodes is None else self.nodes,) * num_blocks


def published() -> dict[str, Any]:
    """The published setting of Learning to Branch, as fields of `ParentSettings`: that of its synthetic tasks.

    500 epochs, 50 of warm-up, batch 100, three nodes in every block, temperature 50 decayed by the root of the
    iteration, Adam 1e-3 and 1e-7, no penalty, arg-max.

    Differs from: the published theta are probabilities, of which the logits are the logarithms; there the rate 1e-7
    changes the probabilities, here the logits.
    """
    return {
        "epochs": 500,
        "warmup": 0.1,
        "batch_size": 100,
        "nodes": 3,
        "routing": "hard",
        "temperature": TemperatureSettings(kind="root", start=50.0),
        "weights": OptimizerSettings(kind="adam", lr=1e-3),
        "logits": OptimizerSettings(kind="adam", lr=1e-7),
        "penalty": FixedPenalty(weight=0.0),
        "discretize": "argmax",
    }
