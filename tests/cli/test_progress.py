"""The steps of commands without epochs are shown in a terminal, after two seconds; piped output stays empty."""

import io

import pytest
import torch
from rich.console import Console
from small_digits import RECIPE, changes

from nas.cli import progress
from nas.cli.main import run
from nas.cost.timing import WARM_UP, time_rounds
from nas.steps import counted, listening


def shown(steps):
    text = io.StringIO()
    Console(file=text, force_terminal=True, width=100).print(steps.render())
    return text.getvalue()


def test_steps_are_shown_when_they_take_longer_than_the_patience(monkeypatch):
    steps = progress.Steps("check", Console(file=io.StringIO(), force_terminal=True))
    steps.step("labels", 3, 8)
    assert not shown(steps).strip()
    monkeypatch.setattr(progress, "_PATIENCE", -1.0)
    assert "labels" in shown(steps)
    assert "3/8" in shown(steps)
    steps.step("timing", 0, 5)
    assert "0/5" in shown(steps)


def test_the_last_step_is_told_and_listeners_end_with_their_block():
    told = []
    with listening(lambda *step: told.append(step)):
        time_rounds({"nothing": lambda: None}, device=torch.device("cpu"), rounds=2)
    assert told == [("timing", done, WARM_UP + 2) for done in range(WARM_UP + 3)]
    assert list(counted("ab", "letters", 2)) == ["a", "b"]
    assert len(told) == WARM_UP + 3


@pytest.mark.parametrize("arguments", [["check"], ["profile"]])
def test_piped_errors_stay_empty(arguments, capfd):
    assert run([*arguments, RECIPE, "--json", *changes()]) == 0
    assert capfd.readouterr().err == ""


def test_a_check_tells_how_many_batches_of_labels_are_read():
    from nas import check

    told = []
    with listening(lambda *step: told.append(step)):
        check(RECIPE, changes={"data.num_train": 64, "data.num_architecture": 32, "retrain.batch_size": 32})
    assert [step[1:] for step in told if step[0] == "labels of split 'train'"] == [(0, 2), (1, 2), (2, 2)]
