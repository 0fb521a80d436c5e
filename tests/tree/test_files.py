import json
import os
import stat
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nas import files
from nas.errors import InputError
from nas.files import (
    read_json,
    write_bytes_atomically,
    write_json_atomically,
    write_text_atomically,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(JSON.filter(lambda record: json.dumps(record, ensure_ascii=False).isprintable()))
def test_json_round_trip(tmp_path, record):
    write_json_atomically(tmp_path / "record.json", record)
    assert read_json(tmp_path / "record.json") == record
    assert os.listdir(tmp_path) == ["record.json"]


def test_text_is_utf8_with_its_line_ends(tmp_path):
    write_text_atomically(tmp_path / "note.txt", "größer\r\nals\n")
    assert (tmp_path / "note.txt").read_bytes() == "größer\r\nals\n".encode()


def test_nan_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json_atomically(tmp_path / "record.json", {"loss": float("nan")})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_content_and_no_temporary_file(tmp_path, monkeypatch, step):
    path = tmp_path / "record.json"
    path.write_text("old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, step, fail)
        with pytest.raises(OSError, match="No space left") as raised:
            write_text_atomically(path, "new")
    assert not isinstance(raised.value, InputError)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["record.json"]


def test_a_killed_writer_leaves_the_old_content(tmp_path):
    path = tmp_path / "record.json"
    path.write_text("old")
    script = (
        "import os, sys; from nas.files import write_text_atomically; os.replace = lambda *_: os._exit(9); "
        "write_text_atomically(sys.argv[1], 'new')"
    )
    assert subprocess.run([sys.executable, "-c", script, path]).returncode == 9
    assert path.read_text() == "old"
    # What is left behind is told apart from a record by its name.
    (left,) = set(os.listdir(tmp_path)) - {"record.json"}
    assert left.startswith(".")
    assert left.endswith(".tmp")


def test_the_content_is_on_disk_before_it_has_its_name(tmp_path, monkeypatch):
    steps = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (steps.append("fsync"), fsync(file))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (steps.append("replace"), replace(a, b))[1])
    write_bytes_atomically(tmp_path / "data", b"\x00\xff")
    assert steps == ["fsync", "replace", "fsync"]
    assert (tmp_path / "data").read_bytes() == b"\x00\xff"


def test_permissions_follow_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        write_text_atomically(tmp_path / "note.txt", "")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "note.txt").stat().st_mode) == 0o640


def test_a_wrong_place_to_write_is_an_input_error(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    for path in ("nowhere/record.json", "file/record.json", "folder", "x" * 300):
        with pytest.raises(InputError, match=f"cannot write .*{path}: "):
            write_text_atomically(tmp_path / path, "")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1,}', "not JSON: .* at line 1, column"),
        (b'{"a": {"b": 1, "c": 2, "b": 3}}', "the field 'b' occurs twice in one object"),
        (b'{"a": 1}\n\xe9', "not UTF-8 text: byte 0xe9 at offset 9"),
        (b"Infinity", "Infinity is not allowed in JSON"),
        (b"[" * 10**6, "nested too deeply"),
        (b"9" * 10**4, "an integer that is too long"),
    ],
)
def test_what_is_no_strict_json_is_an_input_error(tmp_path, content, message):
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        read_json(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


def test_a_byte_order_mark_is_no_error(tmp_path):
    (tmp_path / "record.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(tmp_path / "record.json") == {"a": 1}


def test_a_huge_file_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 2**20)
    (tmp_path / "record.json").write_bytes(b" " * (2**20 + 1))
    with pytest.raises(InputError, match="longer than 1 MiB"):
        read_json(tmp_path / "record.json")
    with pytest.raises(InputError, match="longer than 1 MiB"):
        read_json("/dev/zero")
