"""Checkpoints: one file per epoch; the last two and the best are kept.

A checkpoint is a nested dict of tensors and plain values. It is written to a temporary name and renamed, and read
with ``weights_only=True``, so that loading never runs code from the file. The file is what `torch.save` writes,
followed by its SHA-256, because torch ignores the archive's own checksums and would load damaged weights.
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
    """Write a nested dict of tensors and plain values; a reader sees either the old file or the complete new one."""
    make_folder(path.parent)
    buffer = io.BytesIO()
    torch.save({"format_version": FORMAT_VERSION, **record}, buffer)
    archive = buffer.getvalue()
    write_bytes_atomically(path, archive + hashlib.sha256(archive).digest())


def load_tensors(path: Path) -> dict[str, Any]:
    """Read what `save_tensors` wrote, onto the CPU.

    Raises:
        InputError: the file is missing, truncated, damaged, not a checkpoint, or holds objects that would run code.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    data = path.read_bytes()
    archive, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    whole = hashlib.sha256(archive).digest() == digest
    try:
        # A file without the right digest is parsed, too, so that one with code in it is reported as such.
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
    """The checkpoints of one training, one file per epoch: ``epoch-0007.pt`` holds the state after seven epochs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, num_epochs: int, record: Mapping[str, Any], best_epoch: int | None) -> None:
        """Write the state after `num_epochs` epochs, then delete all files but the last two and the best.

        Files of later epochs are deleted, too: this training resumed from an earlier one since they were unreadable.
        """
        save_tensors({"num_epochs": num_epochs, **record}, self.path(num_epochs))
        keep = {*[epoch for epoch in self.epochs() if epoch <= num_epochs][:2], best_epoch}
        for epoch in self.epochs():
            if epoch not in keep:
                self.path(epoch).unlink()

    def path(self, num_epochs: int) -> Path:
        return self.folder / f"epoch-{num_epochs:04d}.pt"

    def epochs(self) -> list[int]:
        """The epochs that have a file, latest first."""
        found = (path.stem.removeprefix("epoch-") for path in self.folder.glob("epoch-*.pt"))
        epochs = {int(epoch) for epoch in found if epoch.isdecimal()}
        return sorted((epoch for epoch in epochs if self.path(epoch).is_file()), reverse=True)

    def latest(self) -> dict[str, Any] | None:
        """The latest state that can be read; None if there are no files.

        If a file cannot be read, a warning names it, and the file before it is used.

        Raises:
            InputError: there are files, but none can be read.
        """
        failures: list[str] = []
        for record in self._readable(failures):
            for failure in failures:
                _LOGGER.warning("%s; continuing from epoch %d", failure, record["num_epochs"])
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
