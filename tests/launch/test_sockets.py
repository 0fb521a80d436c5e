"""Ray keeps its sockets where their paths are short enough, whatever TMPDIR is."""

import tempfile

import pytest

from nas.launch import session


@pytest.mark.parametrize(
    ("folder", "ray_folder", "expected"),
    [
        ("/scratch/me", None, "/scratch/me/ray"),
        ("/scratch/" + "job" * 12, None, "/tmp/ray"),
        ("/scratch/" + "job" * 12, "/short", "/short/ray"),
        ("/scratch/me", "/scratch/" + "job" * 12, "/tmp/ray"),
    ],
)
def test_a_cluster_of_its_own_starts_in_a_short_folder(monkeypatch, folder, ray_folder, expected):
    import ray

    settings = {}
    monkeypatch.setattr(ray, "init", lambda **given: settings.update(given))
    monkeypatch.setattr(tempfile, "tempdir", folder)
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    if ray_folder is not None:
        monkeypatch.setenv("RAY_TMPDIR", ray_folder)
    session._start()
    assert settings["_temp_dir"] == expected
