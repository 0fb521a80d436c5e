"""One search of the small digits for all tests of the commands."""

import shutil

import pytest
from small_digits import RECIPE, changes

from nas.cli.main import run


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    """A finished search that no test changes; copy it."""
    folder = tmp_path_factory.mktemp("digits") / "run"
    assert run(["search", RECIPE, "--out", str(folder), *changes()]) == 0
    return folder


@pytest.fixture(scope="module")
def a_run(pristine, tmp_path_factory):
    """A copy of it for the tests of a module, which leave it as it was."""
    folder = tmp_path_factory.mktemp("module") / "run"
    shutil.copytree(pristine, folder)
    return folder


@pytest.fixture
def own_run(pristine, tmp_path):
    """A copy of it for one test to do with as it likes."""
    folder = tmp_path / "run"
    shutil.copytree(pristine, folder)
    return folder
