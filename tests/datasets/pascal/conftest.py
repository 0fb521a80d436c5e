"""PASCAL_MT as the tests read it: one folder that no test changes, and copies of it that a test may change."""

import shutil
from pathlib import Path

import pytest
from datasets.fixtures_pascal import FULL_SIZE, Truth, write_pascal


@pytest.fixture(scope="package")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    """Not to be changed by any test."""
    root = tmp_path_factory.mktemp("données") / "PASCAL_MT"
    return root, write_pascal(root, size=FULL_SIZE)


@pytest.fixture
def root(pristine: tuple[Path, Truth], tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(pristine[0], tmp_path / "PASCAL_MT"))
