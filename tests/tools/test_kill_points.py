"""Commands that are killed where they write and repeated give the same files, and leave nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nas.files import write_text_atomically
from tools import kill_points
from tools.write_points import find_faults

ROOT = Path(__file__).parents[2]


def run_tool(*arguments: str) -> None:
    command = [sys.executable, "-m", "tools.kill_points", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("command", ["show-graph", "fetch"])
def test_a_command_at_three_points(command, tmp_path):
    """`tools/kill_points` does the same at every point of every command."""
    # In processes that are copies of this one, because neither command computes anything.
    assert kill_points.sweep([command], tmp_path / "scratch", sample=3, seed=0) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["search", "search-measured", "front", "retrain", "retrain-recipe", "compare", "predict", "profile"]
)
def test_a_command_at_many_points(command):
    run_tool(command, "--sample", "12")


@pytest.mark.slow
def test_pictures_and_a_fetch_at_every_point():
    run_tool("show", "show-graph", "data", "data-inputs", "fetch")


@pytest.mark.slow
@pytest.mark.parametrize("format", ["bundle", "onnx", "pt2"])
def test_an_export_at_every_point(format):
    run_tool(f"export-{format}")


# The tool itself: what it has to find


@pytest.fixture
def before(tmp_path):
    (tmp_path / "before").mkdir()
    return tmp_path / "before"


def faults(command, before, again=None):
    tried, found = find_faults(command, again or command, before, before.parent / "scratch")
    assert tried or found
    return found


@pytest.fixture(autouse=True)
def scratch(tmp_path):
    (tmp_path / "scratch").mkdir()


def test_a_sound_command_has_no_faults(before):
    def command():
        Path("out").mkdir(exist_ok=True)
        write_text_atomically("out/a", "1")
        write_text_atomically("out/b", "2")
        return 0

    assert faults(command, before) == []


def test_a_file_that_is_left_over_is_found(before):
    def command():
        Path(f"a{os.getpid()}.tmp").write_text("1")
        os.replace(f"a{os.getpid()}.tmp", "a")
        return 0

    found = faults(command, before)
    assert [fault.partition(" (")[0] for fault in found] == ["killed at point 0 of 2", "killed at point 1 of 2"]
    assert all(fault.endswith(".tmp, too") for fault in found)


def test_half_a_file_that_is_taken_for_whole_is_found(before):
    def command():
        if not Path("a").exists():
            Path("a").write_text("whole")
        return 0

    assert faults(command, before) == ["killed at point 0 of 1 (open a): a differs"]


def test_a_repetition_that_is_refused_is_found(before):
    def command():
        os.mkdir("out")
        write_text_atomically("out/a", "1")
        return 0

    found = faults(command, before)
    assert any("the repetition has exit status 1: FileExistsError" in fault for fault in found)


def test_a_command_that_fails_or_writes_nothing_is_no_success(before):
    assert faults(lambda: 0, before) == ["it writes nothing"]
    assert faults(lambda: 1 / 0, before) == ["undisturbed: exit status 1: ZeroDivisionError: division by zero"]
