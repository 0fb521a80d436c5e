"""Rendered samples on disk: one safetensors file per sample, in a folder named by a digest of all settings."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from nas.data.batch import Sample
from nas.datasets.cached_files import write_entry

_IMAGE = "image"
_AS_BYTES = {"image": 255.0, "edge": 1.0, "sal": 1.0}
_CLASSES = ("semseg", "parts")


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
        """Store the sample (`write_entry`)."""
        image, labels = sample
        tensors = {name: _packed(name, x) for name, x in {_IMAGE: image, **labels}.items()}
        write_entry(self._path(index), save(tensors))

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
