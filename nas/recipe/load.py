"""Recipes: Python files with a function `experiment()`."""

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nas.errors import InputError, explain
from nas.recipe.experiment import Experiment
from nas.recipe.modules import forget_changed, module_hashes
from nas.recipe.stated_by_data import complete

_LATEST: list[str] = []
"""Folder of the recipe that was loaded last, which is on the import path."""


def require_recipe(path: Path) -> None:
    """InputError unless there is a file."""
    if (path / "experiment.json").is_file():
        raise InputError(
            f"{path}: is a run folder; name its recipe instead, and the folder with `out=FOLDER` "
            "(`resume=True` continues the run)"
        )
    if not path.is_file():
        raise InputError(f"{path}: no such recipe")


def load_recipe(path: Path, changes: Mapping[str, Any] | None = None) -> Experiment:
    """The complete experiment of a recipe (`call_recipe`), with changes; see `nas.recipe.complete`."""
    return complete(call_recipe(path), changes)


def call_recipe(path: Path) -> Experiment:
    """Run a recipe's `experiment()`; no data are read.

    While the recipe loads, its folder is first on the import path, so a recipe can import another one beside it.
    Afterwards the folder is last on the path, for modules that lazy objects import when they are called, until another
    recipe is loaded. Local modules that have changed since this process imported them are imported again.

    Raises:
        InputError: the file is missing, fails when imported or called, or does not return an Experiment; the
            message names the line.
    """
    require_recipe(path)
    if path.suffix != ".py":
        raise InputError(f"{path}: a recipe is a Python file (*.py)")
    folder = str(path.resolve().parent)
    for earlier in _LATEST:
        if earlier in sys.path:
            sys.path.remove(earlier)
    forget_changed(path)
    sys.path.insert(0, folder)
    try:
        spec = importlib.util.spec_from_file_location(f"_recipe_{path.stem}", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        # Pickle and dataclasses look up the module of a recipe's own classes here.
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        function = getattr(module, "experiment", None)
        if not callable(function):
            raise InputError(f"{path}: defines no function experiment()")
        experiment = function()
    except InputError as error:
        raise error if str(path) in str(error) else InputError(f"{path}: {error}") from error
    except ValidationError as error:
        raise InputError(f"{_place(error, path)}: {explain(error)}") from error
    except (Exception, SystemExit) as error:
        raise InputError(f"{_place(error, path)}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)
            _LATEST[:] = [folder]
    if not isinstance(experiment, Experiment):
        raise InputError(f"{path}: experiment() must return a nas.Experiment; found {type(experiment).__name__}")
    module_hashes(path)  # records the hashes of the modules as they were imported
    return experiment


def recipe_hash(path: Path) -> str:
    """SHA-256 of the recipe's text."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _place(error: BaseException, path: Path) -> str:
    """``file:line`` of the recipe's own frame nearest to the error."""
    if isinstance(error, SyntaxError) and error.lineno is not None:
        return f"{error.filename}:{error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{path}:{lines[-1]}" if lines else str(path)
