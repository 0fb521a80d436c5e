"""Opening pictures: only known formats, only as many pixels as fit into memory."""

import re
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageFile

import nas
from nas.data.pictures import FORMATS, open_picture
from nas.data.reading import read_picture
from nas.deploy import InputRecord, Pixels
from nas.deploy.pictures import read_picture as read_input
from nas.errors import InputError

TAKEN = InputRecord(shape=(3, 8, 8), pixels=Pixels(mean=(0.0,) * 3, std=(1.0,) * 3))
READERS = {"predict": lambda path: read_input(path, TAKEN), "loaders": read_picture}

POSTSCRIPT = """%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 8 8
%%EndComments
showpage
%%EOF
"""


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height):
    """A grey picture of zeros, which takes a thousandth of its pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 1) * min(height, 2)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_postscript_file_starts_no_program(reader, tmp_path, monkeypatch):
    ghostscript = tmp_path / "bin" / "gs"
    ghostscript.parent.mkdir()
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", str(ghostscript.parent), prepend=":")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    subprocess.run(["gs"], check=True)
    (tmp_path / "started").unlink()
    path = tmp_path / "a.png"
    path.write_text(POSTSCRIPT)
    with pytest.raises(InputError, match=f"{re.escape(str(path))}: .*not one of PNG, JPEG"):
        reader(path)
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("size", [(8193, 8192), (13_300, 13_300), (100_000, 100_000)])
def test_a_picture_of_too_many_pixels_is_not_decoded(reader, size, tmp_path, monkeypatch):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(*size))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(InputError, match=f"{re.escape(str(path))}: .*pixels"):
        reader(path)


def test_every_format_is_opened_whatever_its_name(tmp_path):
    for name in FORMATS:
        Image.new("RGB", (5, 4), (200, 100, 50)).save(tmp_path / "a.png", format=name)
        with open(tmp_path / "a.png", "rb") as file:
            assert open_picture(file).size == (5, 4)
        assert np.array(read_picture(tmp_path / "a.png"))[0, 0].tolist() == pytest.approx([200, 100, 50], abs=4)


def test_pictures_are_opened_in_one_place():
    package = Path(nas.__file__).parent
    calls = [path for path in package.rglob("*.py") if "Image.open(" in path.read_text()]
    assert calls == [package / "data" / "pictures.py"]
