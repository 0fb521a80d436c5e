"""Runs a command in a process of its own, which a test can kill.

A new interpreter takes longer to import what commands need than a small command takes to run. So a server imports it
once and does nothing else, and each process is forked from the server.
"""

import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path

COMMANDS = [f"nas.commands.{verb}" for verb in ("search", "retrain", "compare", "export")]

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["nas.cli.main", *COMMANDS, "nas.strategies.names", "fvcore.nn", "matplotlib.pyplot", "sklearn.datasets"]
)


def start_command(*arguments: str, errors: Path = Path(os.devnull)) -> ForkServerProcess:
    """Start ``nas ARGUMENTS``, whose standard error goes into a file; its exit status is the process's ``exitcode``."""
    process = _CONTEXT.Process(target=_run, args=(arguments, errors))
    process.start()
    return process


def _run(arguments: tuple[str, ...], errors: Path) -> None:
    for descriptor, path in ((1, Path(os.devnull)), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    from nas.cli import main

    sys.argv = ["nas", *arguments]
    main()
