"""Wrong lists of ids and missing folders are refused at once, in one line that names the file."""

import shutil
from pathlib import Path

import pytest

from nas.datasets.pascal import PascalMT
from nas.errors import InputError

TRAIN, VAL, PARTS = "ImageSets/Context/train.txt", "ImageSets/Context/val.txt", "ImageSets/Parts/train.txt"


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        (TRAIN, b"", r"train\.txt: lists no ids"),
        (VAL, b"\n \n", r"val\.txt: lists no ids"),
        (TRAIN, b"a\nb\xff\nc", r"train\.txt: line 2 is not UTF-8 text"),
        (TRAIN, b"a\nb\n\nc\nb\n", r"train\.txt: lists 'b' twice, in lines 2 and 5"),
        (TRAIN, b"a\n../secret\n", r"train\.txt: line 2: '\.\./secret' is not an id"),
        (TRAIN, b"a\nb\n", r"train\.txt: 2 ids are too few to cut"),
        (VAL, b"2009_000006\n", r"train\.txt: 1 of its ids are for testing, too, such as '2009_000006'"),
        (PARTS, b"{", r"Parts/train\.txt: not JSON"),
        (PARTS, b"[15]", r"Parts/train\.txt: must be a JSON object of ids"),
        (PARTS, b'{"a": [15, true]}', r"Parts/train\.txt: must be a JSON object of ids"),
    ],
)
def test_wrong_lists_are_told_at_once(root: Path, path: str, content: bytes, message: str) -> None:
    (root / path).write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        PascalMT(root)
    assert "\n" not in str(raised.value)


def test_missing_folders_and_lists_are_told_at_once(root: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such folder; it must be the folder PASCAL_MT"):
        PascalMT(root / "nowhere")
    with pytest.raises(InputError, match=r"train\.txt: is a file, not a folder"):
        PascalMT(root / TRAIN)
    (root / VAL).unlink()
    with pytest.raises(InputError, match=r"val\.txt: no such file; it must list the ids"):
        PascalMT(root)
    shutil.rmtree(root / "JPEGImages")
    with pytest.raises(InputError, match=r"JPEGImages: no such folder"):
        PascalMT(root)
