"""Cache folders: other settings and other code have another name; entries are written whole or refused in one line."""

import pytest

from nas.datasets.cached_files import fingerprint, write_entry
from nas.errors import InputError


def test_the_fingerprint_depends_on_the_settings_and_the_source(tmp_path):
    source = tmp_path / "decode.py"
    source.write_text("x = 1")
    before = fingerprint({"a": 1, "b": 2}, tmp_path)
    assert before == fingerprint({"b": 2, "a": 1}, tmp_path)
    assert before != fingerprint({"a": 2, "b": 2}, tmp_path)
    source.write_text("x = 2")
    assert before != fingerprint({"a": 1, "b": 2}, tmp_path)


def test_an_entry_makes_its_folder(tmp_path):
    path = tmp_path / "cache" / "train" / "3.sample"
    write_entry(path, b"entry")
    assert path.read_bytes() == b"entry"
    assert [entry.name for entry in path.parent.iterdir()] == ["3.sample"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(InputError, match=r"cannot make the cache folder .*; name another"):
        write_entry(tmp_path / "cache" / "3.sample", b"entry")
