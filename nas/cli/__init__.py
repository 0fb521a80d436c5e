"""The command line: it parses, shows progress and prints; the work is done by `nas.commands`."""

from nas.cli.main import main

__all__ = ["main"]
