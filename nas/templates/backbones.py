"""The backbone of a recipe: one of ours, or the user's own."""

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from nas.errors import InputError, as_input_errors, no_such

BACKBONES: Mapping[str, tuple[str, ...]] = {
    # Stride 32 is that of the ImageNet training.
    "mobilenet_v2": ("MobileNetV2", "weights=None", "output_stride=32"),
    "resnet18": ("ResNet", "depth=18", "weights=None"),
}
"""For pictures, by name: the class of search_spaces and its arguments."""


@dataclass(frozen=True)
class BackboneCode:
    """The lines of a recipe that make its backbone.

    Args:
        imports: lines that import search_spaces.
        arguments: those of the lazy object that makes it.
        note: what a comment says about it.
        own: the line that imports the user's own module; empty for ours.
    """

    imports: tuple[str, ...]
    arguments: tuple[str, ...]
    note: str
    own: str = ""


_WEIGHTS = (
    "All weights start at random; weights=FILE starts from ImageNet's (a state dict with torchvision's names), which "
    "needs far fewer pictures and epochs."
)


def for_pictures(name: str | None, out: Path, shape: str, *, dense: bool) -> BackboneCode:
    """A backbone for pictures.

    Args:
        name: a name of `BACKBONES`, by default the first one; or MODULE:ATTRIBUTE.
        out: the recipe, beside which a module is found.
        shape: an expression for the shape of a picture.
        dense: whether a task has a label for every pixel.

    Raises:
        InputError: there is no such backbone, or the module cannot be imported.
    """
    if name is not None and ":" in name:
        return own(name, out, shape, dense=dense)
    chosen = name or next(iter(BACKBONES))
    if chosen not in BACKBONES:
        raise InputError(f"`backbone`: {no_such('backbone', chosen, [*BACKBONES, 'MODULE:ATTRIBUTE'])}")
    arguments = BACKBONES[chosen]
    return BackboneCode((f"from search_spaces import {arguments[0]}",), arguments, _WEIGHTS)


def own(name: str, out: Path, shape: str, *, dense: bool) -> BackboneCode:
    """A backbone of the user's: what MODULE:ATTRIBUTE makes is a backbone, or a module that is cut into blocks."""
    module, _, attribute = name.partition(":")
    if not module or not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise InputError(f"`backbone` is {name!r}; write MODULE:ATTRIBUTE, such as mynet:Net, or one of ours")
    imported = f"from {module} import {attribute}"
    if not isinstance(_made(module, attribute, out), nn.Module):
        return BackboneCode((), (attribute,), f"{attribute} makes a backbone.", imported)
    arguments = ["from_module", f"module_or_factory={attribute}", 'blocks="auto"', "head=ready_head()"]
    arguments += [*(['taps="sizes"'] if dense else []), f"input_shape={shape}"]
    ours = ("from search_spaces import from_module", "from search_spaces.heads import ready_head")
    note = "The module is cut where the blocks of its architecture end; blocks=[...] names other places."
    return BackboneCode(ours, tuple(arguments), note, imported)


def _made(module: str, attribute: str, out: Path) -> object:
    folder = str(out.resolve().parent)
    sys.path.insert(0, folder)
    try:
        with as_input_errors(f"`backbone={module}:{attribute}`"):
            found = getattr(importlib.import_module(module), attribute)
            if isinstance(found, nn.Module):
                return found
            if not callable(found):
                raise InputError(f"`backbone={module}:{attribute}` is neither a class nor a function")
            return found()
    finally:
        sys.path.remove(folder)
