"""What caches of samples on disk have in common: a folder for each setting, and entries that are written whole."""

import hashlib
import json
from pathlib import Path

from nas.errors import InputError
from nas.files import write_bytes_atomically


def fingerprint(settings: object, package: Path) -> str:
    """Sixteen hexadecimal digits of the settings (plain data) and the source in a package's folder.

    A cache folder with this name holds no entries of other settings, or of another version of the code.
    """
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for source in sorted(package.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def write_entry(path: Path, data: bytes) -> None:
    """Write an entry and make its folder; a reader sees all of it or nothing, also if several processes write it.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the cache folder {path.parent}: {error.strerror}; name another") from error
    write_bytes_atomically(path, data)
