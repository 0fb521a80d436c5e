"""Packages that import their names on first use have all of them, under names that no module of theirs has."""

import importlib
import pkgutil
from pathlib import Path

import pytest

import nas

FOLDER = Path(nas.__file__).parent
LAZY = [
    ".".join(("nas", *path.parent.relative_to(FOLDER).parts))
    for path in sorted(FOLDER.glob("**/__init__.py"))
    if "on_first_use(__name__)" in path.read_text()
]


@pytest.mark.parametrize("name", LAZY)
def test_every_name_is_there(name):
    package = importlib.import_module(name)
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    names = [one for one in dir(package) if not one.startswith("_") and one not in modules]
    assert names
    for one in names:
        assert getattr(package, one) is not None
    # Names of a module are imported at once; else they would be the module where it was loaded before.
    assert set(getattr(package, "__all__", names)) <= {*names, "recommendation", "lazy", "margin"}


def test_packages_are_lazy_and_refuse_other_names():
    assert {"nas", "nas.run", "nas.cost", "nas.recipe", "nas.strategies", "nas.discretize"} <= set(LAZY)
    with pytest.raises(AttributeError, match=r"'nas.cost' has no attribute 'budgets'"):
        importlib.import_module("nas.cost").budgets  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'Similarty'"):
        exec("from nas import Similarty")
    with pytest.raises(ImportError, match=r"write goal=nas.Goal"):
        nas.SearchSettings  # noqa: B018
