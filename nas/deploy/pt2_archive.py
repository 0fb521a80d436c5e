"""Inspect a .pt2 before torch reads it, because `torch.export.load` runs code in a malicious file.

Parts of an archive that torch 2.13 reads and that could contain code:

- records: weights and constants may be pickles or custom objects, example inputs are always a pickle;
- ``expr_str`` in the graph's JSON, which sympy evaluates as Python;
- ``guards_code``, and names that become part of generated Python, which torch compiles;
- ``target`` of a node, a dotted name from torch, operator or math that is called when the program runs;
- a second archive in the same file, which torch reads if the first one fails.

Therefore only what a branched network needs is accepted: raw tensors that are completely in the file, names of letters,
digits and dots, arithmetic for sizes, and ATen operators from tensors to tensors.
"""

import io
import json
import re
import zipfile
from collections.abc import Mapping
from math import prod
from typing import Any

import torch

from nas.deploy.description import KEY
from nas.deploy.pt2_graph import check_graph
from nas.errors import InputError

MODEL = "models/model.json"
WEIGHTS, CONSTANTS = "data/weights/", "data/constants/"
CONFIGS = {WEIGHTS: f"{WEIGHTS}model_weights_config.json", CONSTANTS: f"{CONSTANTS}model_constants_config.json"}
PAYLOAD = {WEIGHTS: re.compile(r"weight_\d{1,9}"), CONSTANTS: re.compile(r"tensor_\d{1,9}")}
EXTRA = f"extra/{KEY}.json"
EXAMPLES = "data/sample_inputs/model.pt"
_PLAIN = {"archive_format", "archive_version", "byteorder", ".data/version", ".data/serialization_id", "version"}
_MOST_JSON = 256 * 2**20
_SCALAR_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 2, 7: 4, 8: 8, 10: 8, 11: 16, 12: 1, 13: 2}
"""Bytes of torch's serialised types: unsigned and signed integers, floats, complex numbers, booleans, bfloat16."""


def inspect_archive(data: bytes, where: str) -> str:
    """Check that nothing in a .pt2 could run code; returns its description as JSON.

    Args:
        data: the whole file.
        where: its name, for messages.

    Raises:
        InputError: the file is not a .pt2, is damaged, or has parts that a branched network does not need.
    """
    reader, sizes = _records(data, where)
    for name, size in sizes.items():
        _check_name(name, size, where)
    for needed in (MODEL, *CONFIGS.values(), EXAMPLES):
        if needed not in sizes:
            raise InputError(f"{where}: refused, it has no {needed}, so torch would look for an older format")
    if EXTRA not in sizes:
        raise InputError(f"{where}: not a network that `nas export` wrote, it has no {EXTRA}")
    try:
        for folder, config in CONFIGS.items():
            _check_payloads(json.loads(reader.get_record(config)), folder, sizes)
        check_graph(json.loads(reader.get_record(MODEL)))
        return str(reader.get_record(EXTRA).decode())
    except InputError as error:
        raise InputError(f"{where}: refused, {error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, RuntimeError) as error:
        raise InputError(f"{where}: refused, its records are malformed ({type(error).__name__})") from error


def _records(data: bytes, where: str) -> tuple[Any, dict[str, int]]:
    """torch's reader and the size of each record; Python's reader of zip files must find the same records."""
    try:
        reader = torch._C.PyTorchFileReader(io.BytesIO(data))
        names: list[str] = reader.get_all_records()
        sizes = {name: _record_size(reader, name) for name in names}
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except (RuntimeError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{where}: not a .pt2, or damaged") from error
    top = members[0].filename.partition("/")[0] if members else ""
    if len(names) != len(sizes) or sorted(member.filename for member in members) != sorted(f"{top}/{n}" for n in names):
        raise InputError(f"{where}: refused, its records differ from its table of contents")
    if sum(sizes.values()) > len(data) or any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise InputError(f"{where}: refused, its records are larger than the file, and a .pt2 is not compressed")
    return reader, sizes


def _record_size(reader: Any, name: str) -> int:
    # torch before 2.13 has no function for the size alone.
    if hasattr(reader, "get_record_size"):
        return int(reader.get_record_size(name))
    return len(reader.get_record(name))


def _check_name(name: str, size: int, where: str) -> None:
    if name.startswith("/") or ".." in name or "\\" in name:
        raise InputError(f"{where}: refused, the path {name!r} climbs out of the archive")
    if name == EXAMPLES:
        if size:
            raise InputError(
                f"{where}: refused, its example inputs are pickled; `nas export` and `nas.deploy` leave them out"
            )
        return
    if name in (MODEL, EXTRA, *CONFIGS.values()):
        if size > _MOST_JSON:
            raise InputError(f"{where}: refused, {name} has {size} bytes; at most {_MOST_JSON} are read")
        return
    if name in _PLAIN or any(
        name.startswith(folder) and pattern.fullmatch(name.removeprefix(folder)) for folder, pattern in PAYLOAD.items()
    ):
        return
    what = "a custom object" if "obj" in name else "a pickle" if name.endswith((".pt", ".pkl", ".pth")) else "a record"
    raise InputError(f"{where}: refused, it holds {what} that no branched network needs: {name!r}")


def _check_payloads(config: Any, folder: str, sizes: Mapping[str, int]) -> None:
    """Each tensor must be raw, on the CPU, and not larger than its record."""
    if set(config) != {"config"}:
        raise InputError(f"{CONFIGS[folder]} has fields beside its tensors")
    for name, payload in config["config"].items():
        if payload["use_pickle"] is not False:
            raise InputError(f"{name!r} is pickled")
        if not PAYLOAD[folder].fullmatch(path := payload["path_name"]) or folder + path not in sizes:
            raise InputError(f"{name!r} names the file {path!r}, which is not a tensor of the archive")
        meta = payload["tensor_meta"]
        shape: list[int] = [_integer(number) for number in meta["sizes"]]
        strides: list[int] = [_integer(number) for number in meta["strides"]]
        offset, item = _integer(meta["storage_offset"]), _SCALAR_BYTES.get(meta["dtype"])
        if item is None or meta["device"] != {"type": "cpu", "index": None} or len(shape) != len(strides):
            raise InputError(f"{name!r} is of a kind that no branched network needs")
        last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        num_values: int = prod(shape)
        if num_values and max(num_values, last + 1) * item > sizes[folder + path]:
            raise InputError(
                f"{name!r} has the shape {shape}, more than the {sizes[folder + path]} bytes of its record"
            )


def _integer(number: Any) -> int:
    """A size as torch writes it, ``{"as_int": 3}``."""
    if set(number) != {"as_int"} or type(value := number["as_int"]) is not int or not 0 <= value < 2**63:
        raise InputError("a tensor's size, stride or offset is not a number")
    return value
