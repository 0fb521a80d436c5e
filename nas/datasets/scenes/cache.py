"""Rendered samples on disk: one safetensors file per sample, in a folder named by a digest of all settings."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from nas.data.batch import Sample
from nas.errors import InputError
from nas.files import write_bytes_atomically

_IMAGE = "image"
_AS_BYTES = {"image": 255.0, "edge": 1.0, "sal": 1.0}
_CLASSES = ("semseg", "parts")


def fingerprint(settings: Mapping[str, object]) -> str:
    """Sixteen hexadecimal digits of the settings, this package's source and the versions of torch and numpy, so that
    other settings or another version of the renderer use another folder."""
    digest = hashlib.sha256(json.dumps([settings, torch.__version__, np.__version__], sort_keys=True).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


class SampleCache:
    """Samples by number in one folder. About 23 bytes a pixel: 212 kB for a sample of 96x96 with all labels."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, index: int, device: torch.device) -> Sample | None:
        """The sample as it was put, bit for bit; None if it is not there or the file is damaged."""
        try:
            stored = load_file(self._path(index), device=str(device))
        except (FileNotFoundError, SafetensorError):
            return None
        image = stored.pop(_IMAGE)
        return _unpacked(_IMAGE, image), {task: _unpacked(task, label) for task, label in stored.items()}

    def put(self, index: int, sample: Sample) -> None:
        """Store the sample. A reader sees all of it or nothing, also when several processes write the same one.

        Raises:
            InputError: if the folder cannot be made or written to.
        """
        image, labels = sample
        tensors = {name: _packed(name, x) for name, x in {_IMAGE: image, **labels}.items()}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the cache folder {self.folder}: {error.strerror}; name another") from error
        write_bytes_atomically(self._path(index), save(tensors))

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:07d}.safetensors"


def _packed(name: str, x: Tensor) -> Tensor:
    if name in _AS_BYTES:
        x = (x * _AS_BYTES[name]).round().to(torch.uint8)
    elif name in _CLASSES:
        x = x.to(torch.uint8)
    return x.cpu().contiguous()


def _unpacked(name: str, x: Tensor) -> Tensor:
    if name in _AS_BYTES:
        return x.float() / _AS_BYTES[name]
    return x.long() if name in _CLASSES else x
