"""One rule for evaluation batches: those of the training, in every command that measures."""

from dataclasses import dataclass
from typing import ClassVar

import pytest
from torch import nn
from toys import IN_FEATURES, ToyData, VectorBackbone, names, toy_tasks

import nas
from nas import Experiment, TrainingSettings, lazy
from nas.tree import BranchTree, write_tree

TASKS = toy_tasks(2)


class Watched(nn.Module):
    sizes: ClassVar[list[int]] = []

    def forward(self, x):
        if not self.training:
            self.sizes.append(len(x))
        return x


@dataclass(frozen=True)
class WatchedBackbone(VectorBackbone):
    def make_stem(self):
        return nn.Sequential(Watched(), super().make_stem())


def test_retrain_and_evaluate_measure_in_training_batches_and_agree(tmp_path):
    experiment = Experiment(
        tasks=TASKS,
        backbone=lazy(WatchedBackbone, num_blocks=2),
        data=lazy(ToyData, tasks=TASKS, size=24),
        input_shape=(IN_FEATURES,),
        retrain=TrainingSettings(epochs=1, batch_size=4),
        device="cpu",
        num_threads=1,
    )
    write_tree(BranchTree.shared(names(TASKS), 2), tmp_path / "tree.json")
    Watched.sizes.clear()
    trained = nas.retrain(experiment, tree=tmp_path / "tree.json", out=tmp_path / "run")
    assert max(Watched.sizes) == 4
    Watched.sizes.clear()
    evaluation = nas.evaluate(tmp_path / "run", recipe=experiment)
    assert max(Watched.sizes) == 4
    assert evaluation.measured == trained.test


@pytest.mark.parametrize(("processes", "size"), [(1, 12), (4, 3), (99, 1)])
def test_a_process_evaluates_what_is_its_part_of_a_training_batch(processes, size):
    assert TrainingSettings(batch_size=12).evaluation_batch(processes) == size
