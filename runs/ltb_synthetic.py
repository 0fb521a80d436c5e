"""The synthetic tasks of Learning to Branch (Guo et al., ICML 2020): is their structure found?

Set ``LTB_SETTING`` to "cluster" (the default), "share" or "hierarchy"; `nas.datasets.function_tasks` describes them.
As published are the four fully connected blocks of 100 units, heads that are a bias, and `ltb`: three nodes of every
block, 500 epochs of which 50 are warm-up, batch 100. Not stated are the blocks' activation, here ReLU after all blocks
but the last, whose features are the outputs, and the number of samples, here 2,000 (20 steps an epoch). No budgets are
set, so every strategy chooses the cost. The settings of the other strategies were not tuned.

    LTB_SETTING=share nas search runs/ltb_synthetic.py
"""

import os
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nas import Experiment, Gradient, ParentChoice, Similarity, TrainingSettings, bmtas, lazy, ltb
from nas.datasets.function_tasks import NUM_INPUTS, NUM_OUTPUTS, Setting, function_data, function_tasks
from nas.engine.optimizer import OptimizerSettings, ScheduleSettings
from nas.tasks import Task

WEIGHTS = OptimizerSettings(kind="adam", lr=1e-3)


@dataclass(frozen=True)
class FullyConnected:
    """Linear blocks of 100 units, with ReLU between them; the stem is the identity, and a head adds a bias."""

    num_blocks: int = 4
    width: int = NUM_OUTPUTS

    @property
    def taps(self) -> tuple[int, ...]:
        return (self.num_blocks - 1,)

    def make_stem(self) -> nn.Module:
        return nn.Identity()

    def make_block(self, l: int) -> nn.Module:
        linear = nn.Linear(NUM_INPUTS if l == 0 else self.width, self.width)
        return linear if l == self.num_blocks - 1 else nn.Sequential(linear, nn.ReLU())

    def make_head(self, task: Task) -> nn.Module:
        return BiasHead(task.num_outputs)


class BiasHead(nn.Module):
    """The last block's features [B, width], plus a bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, features: tuple[Tensor, ...], size: tuple[int, ...]) -> Tensor:
        return features[-1] + self.bias


def experiment() -> Experiment:
    setting: Setting = os.environ.get("LTB_SETTING", "cluster")  # type: ignore[assignment]
    return synthetic_experiment(setting)


def synthetic_experiment(setting: Setting, seed: int = 0) -> Experiment:
    """The experiment of a setting; the seed is that of data, search and trainings."""
    return Experiment(
        tasks=function_tasks(setting),
        backbone=lazy(FullyConnected),
        data=lazy(function_data, setting=setting, seed=seed),
        input_shape=(NUM_INPUTS,),
        strategies={
            "ltb": ltb(),
            # The rates of the default, with which the logits decide during the search.
            "parent_choice": ParentChoice(epochs=60, batch_size=100, nodes=3, weights=WEIGHTS),
            "gradient": Gradient(epochs=60, batch_size=100, num_candidates=3, weights=WEIGHTS, reset_optimizers=False),
            "bmtas": bmtas(batch_size=100),
            "similarity": Similarity(
                epochs=60, batch_size=100, weights=WEIGHTS, schedule=ScheduleSettings(kind="constant")
            ),
        },
        strategy="ltb",
        retrain=TrainingSettings(
            epochs=500, batch_size=100, optimizer=WEIGHTS, schedule=ScheduleSettings(kind="constant")
        ),
        seed=seed,
        # For networks this small a second thread is slower.
        num_threads=1,
    )
