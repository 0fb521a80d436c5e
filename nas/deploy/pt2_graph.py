"""Check the JSON of a .pt2's graph: every text in it must be of a kind that cannot become code."""

import ast
import json
import re
from typing import Any

import torch

from nas.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9_.]{0,1000}", re.ASCII)
_EQUATION = re.compile(r"[A-Za-z., ]{0,500}(->[A-Za-z., ]{0,500})?", re.ASCII)
"""The equation of torch.einsum, which is an argument of an operator: torch hands it over as text."""
_VERSION = re.compile(r"[A-Za-z0-9_.+-]{1,100}", re.ASCII)
_SYMBOL = re.compile(r"[a-z][a-z0-9_]{0,30}", re.ASCII)
_ATEN = re.compile(r"torch\.ops\.aten\.([A-Za-z0-9_]+)\.([A-Za-z0-9_]+)", re.ASCII)
_OPERATORS = ("add", "sub", "mul", "floordiv", "mod", "neg", "pos", "eq", "ne", "le", "lt", "ge", "gt", "and_", "or_")
_ARITHMETIC = (
    {f"_operator.{name}" for name in (*_OPERATORS, "getitem")}
    | {f"torch.sym_{name}" for name in ("max", "min", "not", "int", "float", "ite")}
    | {f"math.{name}" for name in ("ceil", "floor", "trunc")}
)
_CHECKS = {"torch.ops.aten._assert_tensor_metadata.default"}
"""Operators that torch inserts before type conversions."""
_PRIVATE = {"torch.ops.aten._weight_norm.default"}
"""Operators from tensors to tensors with private names, which modules of torch.nn.utils call."""
_UNSAFE = {"set_", "resize_", "resize_as_"}
"""Operators that change how much memory a tensor claims to have."""
_SIZES = {"Symbol", "Integer", "Add", "Mul", "Pow", "FloorDiv", "CleanDiv", "CeilDiv", "Mod", "PythonMod", "Max", "Min"}
_ASSUMPTIONS = {"positive", "nonnegative", "integer", "real"}
_CONTAINERS = {None, "builtins.tuple", "builtins.list", "builtins.dict"}
_LONGEST = 10_000
_EMPTY: dict[str, Any] = {"guards_code": [], "metadata": {}, "custom_obj_values": {}, "treespec_namedtuple_fields": {}}
"""Fields that must be empty, with their empty values."""


def check_graph(program: Any) -> None:
    """InputError unless the parsed JSON of an exported program is harmless (`nas.deploy.pt2_archive`)."""
    waiting: list[tuple[str, Any]] = [("", program)]
    while waiting:
        field, value = waiting.pop()
        if field in _EMPTY and value not in (_EMPTY[field], None):
            raise InputError(f"its {field} is not empty")
        if isinstance(value, dict):
            for key, item in value.items():
                if key != "torch_version" and not _NAME.fullmatch(key):
                    raise InputError(f"a field is called {key[:50]!r}")
                waiting.append((key, item))
        elif isinstance(value, list):
            waiting.extend((field, item) for item in value)
        elif isinstance(value, str):
            _check_text(field, value)


def _check_text(field: str, text: str) -> None:
    if field == "target":
        _check_operator(text)
    elif field == "expr_str":
        _check_size(text)
    elif field in ("in_spec", "out_spec"):
        _check_containers(text)
    elif field == "as_string" and _EQUATION.fullmatch(text):
        return
    elif not (_VERSION if field == "torch_version" else _NAME).fullmatch(text):
        raise InputError(f"its {field} holds the text {text[:50]!r}")


def _check_operator(target: str) -> None:
    """InputError unless the target is an ATen operator from tensors to tensors, or arithmetic on sizes.

    ATen's own checks of bounds are trusted. Its operators that read and write files either take or return no tensor.
    """
    if target in _ARITHMETIC or target in _CHECKS or target in _PRIVATE:
        return
    if (found := _ATEN.fullmatch(target)) and found[1] not in _UNSAFE and not found[1].startswith("_"):
        overload = getattr(getattr(torch.ops.aten, found[1], None), found[2], None)
        if (schema := getattr(overload, "_schema", None)) is not None:
            takes = [str(argument.type) for argument in schema.arguments]
            gives = [str(value.type) for value in schema.returns]
            named = any("str" in kind for kind in takes) and not any("Tensor" in kind for kind in takes)
            tensors = gives and all(kind in ("Tensor", "List[Tensor]", "int", "SymInt") for kind in gives)
            if tensors and not named and not any("Storage" in kind or "Any" in kind for kind in takes):
                return
    raise InputError(f"it calls {target[:80]!r}, which no branched network needs")


def _check_size(text: str) -> None:
    """InputError unless the text is arithmetic on symbols and integers, in the notation of torch."""
    try:
        if len(text) > _LONGEST:
            raise ValueError(f"{len(text)} characters")
        parsed = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"a size is not arithmetic: {text[:50]!r}") from error
    for node in ast.walk(parsed):
        if isinstance(node, ast.Call):
            fine = isinstance(node.func, ast.Name) and _sound_call(node.func.id, node)
        elif isinstance(node, ast.Constant):
            value = node.value
            fine = (type(value) is int and value < 2**63) or isinstance(value, bool)
            fine = fine or (isinstance(value, str) and _SYMBOL.fullmatch(value) is not None)
        elif isinstance(node, ast.Name):
            fine = node.id in _SIZES
        else:
            fine = isinstance(node, ast.Expression | ast.Load | ast.keyword | ast.UnaryOp | ast.USub)
        if not fine:
            raise InputError(f"a size is not arithmetic: {text[:50]!r}")


def _sound_call(name: str, call: ast.Call) -> bool:
    if name == "Pow":
        # Nested powers would take forever to evaluate.
        power = call.args[1] if len(call.args) == 2 else None
        exponent = power.args[0] if isinstance(power, ast.Call) and len(power.args) == 1 else None
        if not isinstance(exponent, ast.Constant) or exponent.value not in (2, 3, 4):
            return False
    return name in _SIZES and all(keyword.arg in _ASSUMPTIONS for keyword in call.keywords)


def _check_containers(text: str) -> None:
    """InputError unless inputs and outputs are nested tuples, lists and empty dicts."""
    if len(text) > _LONGEST * 10:
        raise InputError("it has too many outputs")
    waiting = [json.loads(text)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            if value.get("type") not in _CONTAINERS or value.get("context") not in (None, "null", "[]"):
                raise InputError("its inputs or outputs have a custom type")
            waiting.extend(value.get("children_spec", ()))
        elif type(value) is not int:
            raise InputError("its inputs or outputs have a custom type")
