"""Checkpoints: one file per epoch, of which the last two and the best are kept.

A checkpoint is a nested dict of tensors and plain values, written to a temporary name and renamed, and read
with ``weights_only=True``, so that opening one never runs code from it. The file is what `torch.save` writes, followed
by its SHA-256: torch ignores the archive's own checksums, and would take a flipped bit for a weight.
"""

import hashlib
import io
import logging
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from nas.errors import InputError
from nas.files import make_folder, write_bytes_atomically

_LOGGER = logging.getLogger(__name__)

FORMAT_VERSION = 1

_DIGEST_BYTES = hashlib.sha256().digest_size


def save_tensors(record: Mapping[str, Any], path: Path) -> None:
    """Write a nested dict of tensors and plain values; a reader sees the old file or the whole new one."""
    make_folder(path.parent)
    buffer = io.BytesIO()
    torch.save({"format_version": FORMAT_VERSION, **record}, buffer)
    archive = buffer.getvalue()
    write_bytes_atomically(path, archive + hashlib.sha256(archive).digest())


def load_tensors(path: Path) -> dict[str, Any]:
    """Read what `save_tensors` wrote, onto the CPU.

    Raises:
        InputError: the file is missing, truncated, damaged, not ours, or holds objects that would run code.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    data = path.read_bytes()
    archive, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    whole = hashlib.sha256(archive).digest() == digest
    try:
        # A file of somebody else's is looked into all the same, to say if it is worse than damaged.
        record = torch.load(io.BytesIO(archive if whole else data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(f"{path}: refused, it holds more than tensors and plain values") from error
    except Exception as error:  # what a damaged archive raises depends on where it is damaged
        raise InputError(f"{path}: not a readable checkpoint (truncated or damaged)") from error
    version = record.pop("format_version", None) if isinstance(record, dict) else None
    if not isinstance(record, dict) or type(version) is not int or version != FORMAT_VERSION:
        raise InputError(f"{path}: not a checkpoint of format {FORMAT_VERSION}")
    if not whole:
        raise InputError(f"{path}: not a readable checkpoint (truncated or damaged)")
    return record


class CheckpointFolder:
    """The checkpoints of one training: ``epoch-0007.pt``, ..., and which of them is the best.

    Epochs are counted as done: ``epoch-0007.pt`` holds the state after seven epochs.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, num_epochs: int, record: Mapping[str, Any], best_epoch: int | None) -> None:
        """Write the state after `num_epochs` epochs, then drop all but the last two and the best.

        Files of later epochs could not be read when this training went on from an earlier one; they go, too.
        """
        save_tensors({"num_epochs": num_epochs, **record}, self.path(num_epochs))
        keep = {*[epoch for epoch in self.epochs() if epoch <= num_epochs][:2], best_epoch}
        for epoch in self.epochs():
            if epoch not in keep:
                self.path(epoch).unlink()

    def path(self, num_epochs: int) -> Path:
        return self.folder / f"epoch-{num_epochs:04d}.pt"

    def epochs(self) -> list[int]:
        """The epochs there are files of, the latest first."""
        found = (path.stem.removeprefix("epoch-") for path in self.folder.glob("epoch-*.pt"))
        epochs = {int(epoch) for epoch in found if epoch.isdecimal()}
        return sorted((epoch for epoch in epochs if self.path(epoch).is_file()), reverse=True)

    def latest(self) -> dict[str, Any] | None:
        """The latest state that can be read, or None if there is no file at all.

        A file that cannot be read is named in a warning and the one before it is used.

        Raises:
            InputError: there are files and none can be read.
        """
        failures: list[str] = []
        for record in self._readable(failures):
            for failure in failures:
                _LOGGER.warning("%s; going on from epoch %d", failure, record["num_epochs"])
            return record
        if failures:
            raise InputError(f"{failures[0]}; no earlier checkpoint is left, so start again in a new folder")
        return None

    def _readable(self, failures: list[str]) -> Iterator[dict[str, Any]]:
        for epoch in self.epochs():
            try:
                record = load_tensors(self.path(epoch))
                if type(record.get("num_epochs")) is not int or record["num_epochs"] != epoch:
                    raise InputError(f"{self.path(epoch)}: holds another epoch than its name says")
                yield record
            except InputError as error:
                failures.append(str(error))
