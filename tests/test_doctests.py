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
    module = importlib.import_module(name)
    names = {one: getattr(module, one) for one in getattr(module, "__all__", ())}
    failures, _ = doctest.testmod(module, extraglobs=names, optionflags=doctest.ELLIPSIS)
    assert failures == 0
