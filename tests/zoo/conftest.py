"""The zoo's table, of models and label sets by commands, at the end of a test run."""

import pytest
from zoo.walk import COMMANDS

_TABLE: dict[tuple[str, str], dict[str, int]] = {}
_MARKS = {None: ".", 0: "works", 2: "refused"}


@pytest.fixture(scope="session")
def zoo_table():
    """By kind and name, the exit status of each command that ran."""
    return _TABLE


def pytest_terminal_summary(terminalreporter):
    """One line a model or label set; with several processes each keeps its own, so run with one."""
    if not any("search" in statuses for statuses in _TABLE.values()):
        return
    terminalreporter.section("zoo")
    terminalreporter.write_line(f"{'':32}" + " ".join(f"{command[:9]:9}" for command in COMMANDS))
    for (kind, name), statuses in _TABLE.items():
        marks = " ".join(f"{_MARKS.get(statuses.get(command), 'FAILED'):9}" for command in COMMANDS)
        terminalreporter.write_line(f"{kind + ' ' + name:32}" + marks)
