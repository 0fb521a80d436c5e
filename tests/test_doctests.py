"""Every example in a docstring holds."""

import doctest
import importlib
import pkgutil

import pytest

import nas
import search_spaces

MODULES = [
    module.name
    for package in (nas, search_spaces)
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    failures, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failures == 0
