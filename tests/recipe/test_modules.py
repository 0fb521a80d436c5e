"""The local modules of a recipe are found without running them, wherever in its code they are imported."""

import sys

import pytest

from nas.recipe import changed_modules, load_recipe, module_hashes

EXPERIMENT = """
def experiment():
    from nas import Experiment, lazy
    from nas.datasets.digits import digit_tasks
    return Experiment(tasks=digit_tasks(), backbone=lazy(make), data=lazy(dict), input_shape=(1, 12, 20))
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Writes modules into a folder, and gives the path of the recipe there; what is imported of them is forgotten.

    ``pkg_in_net`` is ``pkg/net.py``, ``pkg_in_package`` is ``pkg/__init__.py``.
    """
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(folder=tmp_path, **texts):
        for name, text in texts.items():
            path = folder / (name.replace("_in_", "/").replace("package", "__init__") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return folder / "recipe.py"

    yield write
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]


def test_imports_are_followed_through_functions_packages_and_other_recipes(project):
    recipe = project(
        recipe="import numpy, json, torch.nn\nfrom variant_of import experiment\nimport nas.tasks",
        variant_of="def make():\n    import net_lazy\n    return net_lazy.Net()\n" + EXPERIMENT,
        net_lazy="from parts.deep.cells import Cell\nimport importlib\nimportlib.import_module('named_net')",
        named_net="",
        parts_in_deep_in_cells="from . import near\nfrom .. import far\nfrom .near import x",
        parts_in_deep_in_near="x = 1",
        parts_in_far="import far_away_and_missing",
        parts_in_unused="",
        unused="",
    )
    # A folder without __init__.py is a package, too.
    expected = {"variant_of", "net_lazy", "named_net", "parts.deep.cells", "parts.deep.near", "parts.far"}
    assert set(module_hashes(recipe)) == expected
    project(parts_in_package="", parts_in_deep_in_package="from .plug import *", parts_in_deep_in_plug="")
    assert set(module_hashes(recipe)) == {*expected, "parts", "parts.deep", "parts.deep.plug"}


def test_what_a_package_has_loaded_by_a_name_put_together_is_found(project):
    recipe = project(
        recipe="from plugs import load\nnet = load('unet')\n" + EXPERIMENT.replace("make", "dict"),
        plugs_in_package="import importlib\ndef load(name): return importlib.import_module('.' + name, __name__)",
        plugs_in_unet="width = 8",
        plugs_in_resnet="",
    )
    load_recipe(recipe)
    assert set(module_hashes(recipe)) == {"plugs", "plugs.unet"}


def test_names_of_python_and_of_what_is_installed_stay_theirs(project):
    recipe = project(recipe="import time, json, numpy", time="", json="", numpy="")
    assert module_hashes(recipe) == {}


def test_a_module_that_was_edited_or_is_gone_is_named(project):
    recipe = project(recipe="import net, other", net="width = 8", other="")
    recorded = module_hashes(recipe)
    assert changed_modules(recipe, recorded) == []
    project(net="width = 16")
    assert changed_modules(recipe, recorded) == ["net"]
    recipe.with_name("other.py").unlink()
    assert changed_modules(recipe, recorded) == ["net", "other"]
    assert changed_modules(recipe, {"": "0", "..": "0", "a/b": "0", "pkg.gone": "0"}) == ["", "..", "a/b", "pkg.gone"]


def test_a_recipe_gets_its_own_modules_as_they_are(project, tmp_path):
    """Not those of another project, nor those that this process imported before they were edited."""
    text = (
        "import net_user\nfrom nas import Experiment, lazy\nfrom nas.datasets.digits import digit_tasks\n"
        + EXPERIMENT.replace("lazy(make)", "lazy(dict, width=net_user.width)")
    )
    files = {"recipe": text, "net_user": "from net_here import width", "net_here": "width = 8"}
    width = lambda recipe: load_recipe(recipe).backbone.args["width"]  # noqa: E731
    recipe = project(**files)
    assert width(recipe) == 8
    imported = module_hashes(recipe)
    project(net_here="width = 16")
    # What was imported is what a run that begins now is recorded with.
    assert module_hashes(recipe) == imported
    assert changed_modules(recipe, imported) == ["net_here"]
    assert width(recipe) == 16
    other = project(tmp_path / "other", **{name: text.replace("8", "32") for name, text in files.items()})
    assert width(other) == 32
    assert width(recipe) == 16
    assert changed_modules(other, module_hashes(other)) == []


def test_a_folder_of_another_project_does_not_stand_for_a_package(project, tmp_path):
    text = "from plugs.net import width\n" + EXPERIMENT.replace("make", "dict, width=width")
    as_folder = project(tmp_path / "a", recipe=text, plugs_in_net="width = 1")
    as_package = project(tmp_path / "b", recipe=text, plugs_in_net="width = 2", plugs_in_package="")
    for recipe, width in ((as_folder, 1), (as_package, 2), (as_folder, 1)):
        assert load_recipe(recipe).backbone.args["width"] == width


def test_a_factory_imports_what_lies_beside_its_recipe(project):
    recipe = project(
        recipe="def make():\n    import net_later\n    return net_later.width\n" + EXPERIMENT, net_later="width = 3"
    )
    assert load_recipe(recipe).backbone() == 3
