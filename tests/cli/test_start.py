"""Commands that only read start without the libraries that compute."""

import json
import subprocess
import sys

LOADED = """
import contextlib, io, json, sys
from nas.cli.main import run

SLOW = ("torch", "scipy", "sklearn", "torchmetrics", "fvcore", "matplotlib", "ray", "optuna", "nni", "onnx")
found = {}
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
        status = run(words)
    found[" ".join(words)] = [status, [name for name in SLOW if name in sys.modules], said.getvalue()[:200]]
print(json.dumps(found))
"""


def loaded(*commands):
    """By command, its status, the slow libraries that were imported until it ended, and what it said."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, json.dumps(commands)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_commands_that_only_read_import_no_library_that_computes(a_run, tmp_path):
    run, nowhere = str(a_run), "http://127.0.0.1:1"
    found = loaded(
        ["--version"],
        ["--help"],
        ["search", "--help"],
        ["--show-completion", "bash"],
        ["serach"],
        ["init", "--list"],
        ["show", run],
        ["show", run, "--tree", "random:1", "--json"],
        ["front", run],
        ["explain", run],
        ["watch", run, "--once"],
        ["jobs", "--address", nowhere],
        ["logs", "job", "--address", nowhere],
        ["report", run, "--out", str(tmp_path / "page.html")],
    )
    # The layout of trees is a small optimisation.
    assert [(command.split()[0], slow) for command, (_, slow, _) in found.items() if slow] == [("report", ["scipy"])]
    failed = [command for command, (status, _, said) in found.items() if status]
    assert [command.split()[0] for command in failed] == ["serach", "jobs", "logs"], found
