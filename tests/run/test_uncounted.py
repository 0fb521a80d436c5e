"""Arithmetic that cannot be counted is reported before any work, and budgets in MACs are refused."""

import logging
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from toys import IN_FEATURES, ToyData, VectorBackbone, toy_tasks

import nas
from nas import Experiment, Goal, Similarity, TrainingSettings, lazy
from nas.deploy import Description
from nas.deploy.export_macs import warn_of_macs
from nas.run import measure_parts
from nas.tree import BranchTree

TASKS = toy_tasks(2)


class Mixer(nn.Module):
    def forward(self, x):
        return torch.fft.irfft(torch.fft.rfft(x), n=x.shape[1])


@dataclass(frozen=True)
class FourierBackbone(VectorBackbone):
    def make_block(self, l):
        return nn.Sequential(super().make_block(l), *([Mixer()] if l == 1 else []))


def experiment(backbone=FourierBackbone, **goal):
    return Experiment(
        tasks=TASKS,
        backbone=lazy(backbone),
        data=lazy(lambda: ToyData(TASKS)),
        input_shape=(IN_FEATURES,),
        device="cpu",
        num_threads=1,
        goal=Goal(**goal),
        strategy=Similarity(epochs=1, batch_size=8, candidates="plain"),
        retrain=TrainingSettings(epochs=1, batch_size=8),
    )


NAMED = "MACs are incomplete, because these operators cannot be counted: fft_irfft in Sequential.1 (block 1), fft_rfft"


def test_a_budget_in_macs_is_refused_by_every_command_that_takes_one(tmp_path):
    given = experiment(budgets=(0.9,))
    for command in (nas.check, lambda recipe: nas.search(recipe, out=tmp_path / "run")):
        with pytest.raises(nas.InputError) as error:
            command(given)
        assert NAMED in str(error.value)
        assert "accept budgets for what is counted with allow_uncounted_macs=true" in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("goal", "changes"),
    [
        ({"budgets": (0.9,)}, {"allow_uncounted_macs": True}),
        ({"budgets": (0.9,), "resource": "params"}, {}),
        ({}, {}),
    ],
)
def test_without_such_a_budget_it_is_told_and_the_work_goes_on(goal, changes, caplog):
    with caplog.at_level(logging.WARNING):
        report = nas.check(experiment(**goal), changes=changes)
    assert [record.getMessage()[: len(NAMED)] for record in caplog.records] == [NAMED]
    assert list(report.uncounted) == [f"{name} in Sequential.1 (block 1)" for name in ("fft_irfft", "fft_rfft")]


def test_a_backbone_that_is_counted_whole_has_no_warning(caplog):
    with caplog.at_level(logging.WARNING):
        assert list(nas.check(experiment(VectorBackbone, budgets=(0.9,))).uncounted) == []
    assert not caplog.records


def test_a_profile_names_it_and_does_not_call_it_free_of_macs():
    report = nas.profile(experiment())
    assert list(report.uncounted) == [f"{name} in Sequential.1 (block 1)" for name in ("fft_irfft", "fft_rfft")]
    assert not any("fft" in name for name in report.unsupported)


def test_an_export_tells_which_macs_are_apart(caplog):
    measured = measure_parts(experiment())
    tree = BranchTree.shared([task.name for task in TASKS], 3).with_cost(measured.table)
    predicted = tree.cost["macs"]
    tasks = [
        {"name": task.name, "num_outputs": task.num_outputs, "kind": "values", "shape": (task.num_outputs,)}
        for task in TASKS
    ]
    verified = {"num_samples": 1, "samples": "x", "deviation": {}, "scale": {}, "macs": 99, "uncounted": ("DFT",)}
    described = Description(
        format="onnx",
        tasks=tuple(tasks),
        tree=tree.to_dict(),
        input={"shape": (IN_FEATURES,)},
        cost=tree.cost,
        verified={**verified, "macs_by_operator": {"Gemm": 99}},
    )
    with caplog.at_level(logging.WARNING):
        warn_of_macs(described, measured)
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "predicted MACs are incomplete, they lack "
        "fft_irfft in Sequential.1 (block 1), fft_rfft in Sequential.1 (block 1)",
        "MACs of the graph are incomplete, they lack DFT",
        f"the graph has 99 MACs (Gemm 99), the cost table predicts {predicted} (linear {predicted})",
    ]
