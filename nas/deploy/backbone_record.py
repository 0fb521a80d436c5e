"""A backbone as plain data; it is built again without importing anything that the data name."""

import dataclasses
import importlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from nas.errors import InputError, explain
from nas.networks.backbone import Backbone
from nas.recipe import describe
from nas.recipe.lazy import qualified_name

PACKAGE = "search_spaces"
"""The package, installed with this project, whose backbones can be built from a record."""
_WEIGHTS = "weights"
"""The argument for a file with initial weights; it is omitted, because an exported network has weights."""


class BackboneRecord(BaseModel):
    """``{type, args}`` with all arguments, including defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    type: str
    args: dict[str, Any]

    @classmethod
    def of(cls, backbone: Backbone) -> "BackboneRecord":
        """Record a backbone of `PACKAGE` completely, and of any other backbone only the type."""
        name = qualified_name(backbone)
        if name not in _known():
            return cls(type=name, args={})
        args = {field.name: getattr(backbone, field.name) for field in dataclasses.fields(_known()[name])}
        return cls(type=name, args={key: describe(value) for key, value in args.items() if key != _WEIGHTS})

    @property
    def known(self) -> bool:
        """Whether the backbone is one of `PACKAGE`, so that it can be built."""
        return self.type in _known()

    def build(self) -> Backbone:
        """The backbone; no weights are allocated yet.

        Raises:
            InputError: the type is not a backbone of `PACKAGE`, or has other arguments.
        """
        known = _known()
        if self.type not in known:
            raise InputError(
                f"its backbone {self.type[:100]} is not one of {PACKAGE} ({', '.join(known)}), and names in a "
                "file are never imported; name the recipe that makes it (nas predict --recipe, or in Python "
                "load_bundle(path, backbone=...)), or export onnx or pt2, which need none"
            )
        fields = {field.name for field in dataclasses.fields(known[self.type])} - {_WEIGHTS}
        if set(self.args) != fields:
            raise InputError(f"{self.type} takes {', '.join(sorted(fields))}; found {', '.join(sorted(self.args))}")
        try:
            backbone: Backbone = TypeAdapter(known[self.type]).validate_json(json.dumps(self.args))
        except ValidationError as error:
            raise InputError(f"{self.type}: {explain(error)}") from error
        return backbone


def _known() -> Mapping[str, Any]:
    """The backbones of `PACKAGE` that are fully described by their arguments, by full name."""
    try:
        package = importlib.import_module(PACKAGE)
    except ImportError:
        return {}
    found = (getattr(package, name) for name in package.__all__)
    classes = (value for value in found if isinstance(value, type) and dataclasses.is_dataclass(value))
    return {qualified_name(value): value for value in classes}
