"""Many trials on a terminal, and elsewhere."""

import io

import pytest
from rich.console import Console

from nas.cli.progress import Display
from nas.cli.trial_table import duration, trial_name
from nas.run import Trial, TrialEvent

TRIALS = [Trial(number, budget, seed) for number, (seed, budget) in enumerate([(0, 0.3), (0, 0.6), (1, 0.3), (1, 0.6)])]
RECORD = {
    "epoch": 0,
    "phase": "search",
    "weights": {"total": 6.2, "tasks": {"left": 2.1, "right": 2.2}},
    "expected_cost": 3.1e6,
    "budget": 3.6e6,
    "entropy": [0.9],
    "changed_choices": 3,
}


def shown(*events, trials=TRIALS, **console):
    display = Display(Console(file=io.StringIO(), width=80, **console))
    display.begin_trials(trials, "macs")
    for event in events:
        display.report(event)
    return display


def table(display, height=24):
    console = Console(file=io.StringIO(), width=80, height=height)
    console.print(display.render() if height == 24 else display.trials.render(height))
    return console.file.getvalue()


def started(number, done=0):
    return TrialEvent("started", TRIALS[number], num_epochs=9, epochs_done=done)


def epoch(number):
    return TrialEvent("epoch", TRIALS[number], record=RECORD)


def test_every_trial_has_a_row_within_80_columns_and_the_last_line_counts_them():
    display = shown(
        started(0),
        epoch(0),
        started(1, done=8),
        epoch(1),
        TrialEvent("done", TRIALS[1]),
        TrialEvent("failed", TRIALS[2], reason="the loss of left is nan"),
        force_terminal=True,
    )
    lines = table(display).splitlines()
    assert max(map(len, lines)) <= 80
    rows = {line.split()[0]: line for line in lines if line.split() and line.split()[0].isdecimal()}
    assert list(rows)[:4] == ["0", "1", "2", "3"]
    assert "1/9" in rows["0"]
    assert "3.1 MMACs" in rows["0"]
    assert "left 2.100" in rows["0"]
    assert "9/9" in rows["1"]
    assert "done" in rows["1"]
    assert "failed" in rows["2"]
    assert "the loss of left" in rows["2"]
    assert "waiting" in rows["3"]
    assert "4 trials: 1 done, 1 running, 1 waiting, 1 failed" in lines[-1]
    assert "left" in lines[-1]


def test_a_low_terminal_shows_those_that_run_first():
    trials = [Trial(number, None, number) for number in range(200)]
    running = [150, 151, 152, 153, 154]
    events = [TrialEvent("started", trials[number], num_epochs=3) for number in running]
    text = table(shown(*events, trials=trials, force_terminal=True), height=10)
    rows = [line.split()[0] for line in text.splitlines() if "0/3" in line]
    assert rows == [str(number) for number in running]
    assert len(text.splitlines()) <= 11


def test_without_a_terminal_each_event_is_one_line():
    display = shown(
        started(3),
        epoch(3),
        TrialEvent("retried", TRIALS[3], reason="its worker was lost"),
        started(3, done=1),
        TrialEvent("stopped", TRIALS[3]),
        TrialEvent("failed", TRIALS[0], reason="out of memory"),
    )
    lines = display.console.file.getvalue().splitlines()
    assert lines[0] == "search: 4 trials"
    assert lines[1] == "trial 3 (budget 0.6, seed 1): 9 epochs to go"
    assert lines[2].startswith("trial 3 (budget 0.6, seed 1): epoch 1/9, ")
    assert "cost 3.1 MMACs (of 3.6 MMACs)" in lines[2]
    assert lines[3].endswith("will continue from its checkpoint: its worker was lost")
    assert lines[4].endswith("8 epochs to go")
    assert lines[5].endswith("stopped by the scheduler")
    assert lines[6] == "trial 0 (budget 0.3, seed 0): failed: out of memory"
    assert len(lines) == 7


def test_one_trial_has_a_bar_and_no_table():
    only = [Trial(0, None, 0)]
    display = shown(TrialEvent("started", only[0], num_epochs=2), trials=only)
    assert display.trials is None
    assert display.console.file.getvalue() == "search: 2 epochs to go\n"


def test_proposed_values_are_part_of_a_trials_name():
    trial = Trial(3, None, 2, {"goal.budgets": 0.45678, "strategy.logits.lr": 0.0123456, "strategy.routing": "soft"})
    assert trial_name(trial) == "trial 3 (budget 0.4568, seed 2, strategy.logits.lr 0.01235, strategy.routing soft)"


@pytest.mark.parametrize(("seconds", "words"), [(4.4, "4 s"), (89, "89 s"), (150, "2 min"), (9000, "2 h 30 min")])
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words
