"""How a command ends that Ctrl-C, SIGTERM or a closed output stream stops."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from small_digits import RECIPE

from nas.cli.main import run
from nas.cli.signals import sigterm_as_interrupt

COMMANDS = {
    "search": ([RECIPE], "; continue with --resume"),
    "retrain": ([RECIPE], "; continue with --resume"),
    "compare": (["run"], "; run it again: it repeats no training that is done"),
    "profile": ([RECIPE], ""),
    "check": ([RECIPE], ""),
}


@pytest.mark.parametrize(
    ("number", "status", "words"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "stopped by SIGTERM"),
    ],
)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_signal_ends_every_command_in_one_line(command, number, status, words, monkeypatch, capsys):
    monkeypatch.setattr(f"nas.commands.{command}.{command}", lambda *_, **__: signal.raise_signal(number))
    before = signal.getsignal(signal.SIGTERM)
    arguments, going_on = COMMANDS[command]
    assert run([command, *arguments]) == status
    assert capsys.readouterr().err == f"{words}{going_on}\n"
    assert signal.getsignal(signal.SIGTERM) == before


def test_what_fails_because_of_sigterm_is_not_blamed(monkeypatch, capsys):
    def end(*_: object, **__: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Terminated.")

    monkeypatch.setattr("nas.commands.profile.profile", end)
    assert run(["profile", RECIPE]) == 143
    assert capsys.readouterr().err == "stopped by SIGTERM\n"


def test_sigterm_works_where_ctrl_c_is_ignored(monkeypatch):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), sigterm_as_interrupt() as termination:
            signal.raise_signal(signal.SIGTERM)
        assert termination.received
    finally:
        signal.signal(signal.SIGINT, before)


def test_commands_run_in_other_threads_too(capsys):
    statuses = []
    thread = threading.Thread(target=lambda: statuses.append(run(["profile", "nowhere.py"])))
    thread.start()
    thread.join()
    assert statuses == [2]


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_closed_stream_is_as_if_nobody_read_it(name, monkeypatch, capsys, own_run):
    monkeypatch.setattr(sys, name, None)
    assert run(["show", str(own_run)]) == 0
    with getattr(sys, name) as stream:
        assert stream.name == os.devnull
    monkeypatch.undo()
    assert capsys.readouterr().err == ""


def test_no_file_gets_the_number_of_a_closed_stream(tmp_path):
    code = (
        "from nas.cli.signals import replace_closed_streams; replace_closed_streams(); "
        f"import sys; sys.exit(0 if open({str(tmp_path / 'file')!r}, 'w').fileno() > 2 else 9)"
    )
    command = 'exec "$0" -c "$1" <&- >&- 2>&-'
    assert subprocess.run(["bash", "-c", command, sys.executable, code], check=False).returncode == 0


def test_a_stopped_comparison_goes_on_when_it_is_run_again(own_run, monkeypatch, capsys):
    epochs = []

    def stop_in_the_third(record: dict) -> str:
        epochs.append(record)
        if len(epochs) == 3:
            signal.raise_signal(signal.SIGTERM)
        return ""

    monkeypatch.setattr("nas.cli.training.training_figures", stop_in_the_third)
    assert run(["compare", str(own_run)]) == 143
    assert capsys.readouterr().err.splitlines()[-1].startswith("stopped by SIGTERM; run it again")
    done = {path: path.stat().st_mtime_ns for path in own_run.glob("retrained/*/*/result.json")}
    assert len(done) == 2
    assert run(["compare", str(own_run)]) == 0
    assert (own_run / "compare" / "results.json").is_file()
    assert {path: path.stat().st_mtime_ns for path in done} == done
