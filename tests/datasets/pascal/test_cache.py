"""The cache of decoded samples: the same bits, remade when it is damaged or out of date, outside the data."""

from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import fixtures_pascal as fixture
from datasets.fixtures_pascal import FULL_SIZE, assert_same
from PIL import Image

from nas.data import collate
from nas.datasets.pascal import TASKS, PascalMT
from nas.errors import InputError


def _tree(root: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(root.rglob("*"))}


def _entries(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.sample"))


def test_a_cache_gives_the_same_bits_without_reading_the_data(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _tree(root)
    plain = PascalMT(root, half_resolution=True)
    cached = PascalMT(root, half_resolution=True, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    names = plain.split("train").ids
    made = [cached.sample(name) for name in names]
    with monkeypatch.context() as patched:
        patched.setattr("nas.datasets.pascal.source.decode", None)
        kept = [cached.sample(name) for name in names]
    for name, sample, again in zip(names, made, kept, strict=True):
        expected = plain.sample(name)
        for other in (sample, again):
            assert_same(collate([expected]), collate([other]))
    assert len(_entries(tmp_path / "cache")) == len(names)
    assert [path.name for path in (tmp_path / "cache").rglob(".*")] == []
    assert _tree(root) == before


def test_other_settings_do_not_share_entries(root: Path, tmp_path: Path) -> None:
    name = fixture.WITH_PERSON
    for half in (False, True):
        for tasks in (TASKS, ("semseg",)):
            source = PascalMT(root, tasks=tasks, half_resolution=half, cache=tmp_path / "cache")
            for _ in range(2):
                image, labels = source.sample(name)
                assert image.shape[1:] == ((10, 13) if half else FULL_SIZE)
                assert set(labels) == set(tasks)
    assert len(_entries(tmp_path / "cache")) == 4


def test_an_entry_is_remade_when_its_sources_change(root: Path, tmp_path: Path) -> None:
    name = fixture.WITH_PERSON
    source = PascalMT(root, cache=tmp_path / "cache")
    source.sample(name)
    path = root / "sal_distill" / f"{name}.png"
    with Image.open(path) as picture:
        inverted = Image.fromarray(255 - np.array(picture))
    inverted.save(path)
    assert torch.equal(source.sample(name)[1]["sal"], PascalMT(root).sample(name)[1]["sal"])
    (root / "JPEGImages" / f"{name}.jpg").unlink()
    with pytest.raises(InputError, match=rf"JPEGImages/{name}\.jpg: no such file"):
        source.sample(name)


def test_a_damaged_entry_is_remade(root: Path, tmp_path: Path) -> None:
    name = fixture.WITH_PERSON
    source = PascalMT(root, cache=tmp_path / "cache")
    expected = collate([source.sample(name)])
    (entry,) = _entries(tmp_path / "cache")
    intact = entry.read_bytes()
    damaged = [intact[:length] for length in (0, 1, 100, len(intact) // 2, len(intact) - 1)]
    for position in range(0, len(intact), 97):
        changed = bytearray(intact)
        changed[position] ^= 0x55
        damaged.append(bytes(changed))
    damaged += [b"\x80\x04N.", np.array([3, 4]).tobytes(), b"PK\x03\x04" + bytes(50)]
    for data in damaged:
        entry.write_bytes(data)
        assert_same(collate([source.sample(name)]), expected)
    entry.write_bytes(damaged[3])
    source.sample(name)
    assert len(entry.read_bytes()) == len(intact)


def test_a_cache_is_outside_the_data_and_can_be_written(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    for inside in (root, root / "resized", tmp_path / "link" / "cache"):
        with pytest.raises(InputError, match=r"is inside the data folder .*; name a folder outside"):
            PascalMT(root, cache=inside)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot make the cache folder .*file"):
        PascalMT(root, cache=tmp_path / "file").sample(fixture.WITH_PERSON)
