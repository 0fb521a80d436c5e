"""Where processes put their sockets."""

import os

from nas.errors import InputError

_LONGEST_SOCKET = 103
"""Most bytes in the path of a socket: 107 on Linux, 103 on macOS."""


def folder_for_sockets(usual: str, room: int) -> str:
    """A folder for sockets: the usual one for temporary files, or /tmp if the sockets' paths would be too long there.

    Args:
        usual: the usual folder for temporary files.
        room: bytes of a socket's path below the folder.

    Raises:
        InputError: /tmp cannot be written to.
    """
    if len(os.fsencode(usual)) + room <= _LONGEST_SOCKET:
        return usual
    if os.access("/tmp", os.W_OK | os.X_OK):
        return "/tmp"
    raise InputError(
        f"{usual}: the path is too long for the sockets of processes, and /tmp cannot be written to; "
        f"set TMPDIR to a folder whose path has at most {_LONGEST_SOCKET - room} bytes"
    )
