import os

import pytest

from nas.engine.sockets import folder_for_sockets
from nas.errors import InputError


def test_sockets_get_a_folder_whose_paths_are_short_enough(monkeypatch):
    room = len("/session/sockets/store")
    assert folder_for_sockets("/scratch/me", room) == "/scratch/me"
    assert folder_for_sockets("/" + "x" * (102 - room), room) == "/" + "x" * (102 - room)
    assert folder_for_sockets("/" + "x" * (103 - room), room) == "/tmp"
    # Bytes count, not letters.
    assert folder_for_sockets("/" + "ü" * 41, room) == "/tmp"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="set TMPDIR to a folder whose path has at most 81 bytes"):
        folder_for_sockets("/" + "x" * 100, room)
