"""Decide which files of a project a job may take along.

A file is taken if git tracks it or does not ignore it. Without a git repository, every file is taken except those in
folders called build or dist. Secrets, hidden files, virtual environments, run folders and files outside of the project
are always left out. A link is taken as the file that it leads to, if that file may be taken.
"""

import fnmatch
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from nas.errors import InputError

SECRETS = (
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.pem", "*.key", "*.ppk", "*.p12", "*.pfx", "*.jks"),
    *("*.keystore", "*.kdbx", "*.gpg", "*.tfstate", ".env", ".env.*", "*.env", ".netrc", "_netrc", ".pgpass", ".npmrc"),
    *(".pypirc", ".dockercfg", ".htpasswd", ".git-credentials", "credentials", "credentials.*", "*credentials*.json"),
    *("secret", "secret.*", "secrets", "secrets.*", "*_secret*.json", "*_secrets*.json", "*service*account*.json"),
    *("auth_token", "token", "token.json", "token.txt", "kubeconfig"),
)
"""Names of files that usually contain passwords or keys; case is ignored, and Python files are exempt."""

_PRIVATE_KEY = b"PRIVATE KEY-----"
_MADE = {"__pycache__", "build", "dist"}
"""Folders with built files, where git does not say which files are ignored."""


class Project:
    """A folder whose files may be sent to a cluster, with exceptions.

    Attributes:
        root: the folder, without links in its path.
        left_out: files that are left out, with the reason, by their path below the root.

    Raises:
        InputError: the folder is in a git repository, and git fails.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))
        self.left_out: dict[str, str] = {}
        self._listed = set(_list(self.root)) if self.has_git else None

    @property
    def has_git(self) -> bool:
        """Whether the folder is in a git repository."""
        return any((folder / ".git").exists() for folder in (self.root, *self.root.parents))

    def files_below(self, folder: Path, above: tuple[str, ...] = ()) -> Iterator[Path]:
        """The files in a folder of the project that may be taken; others that matter are added to `left_out`."""
        real = os.path.realpath(folder)
        if real in above or not Path(real).is_relative_to(self.root):
            self._leave(folder, "a link in a circle" if real in above else "a link out of the project")
            return
        try:
            entries = sorted(folder.iterdir())
        except OSError as error:
            self._leave(folder, f"cannot be read: {error.strerror}")
            return
        for entry in entries:
            if entry.is_dir():
                if not self._is_skipped(entry):
                    yield from self.files_below(entry, (*above, real))
            elif self.takes(entry) and not entry.name.startswith("."):
                yield entry

    def takes(self, file: Path) -> bool:
        """Whether a file may be taken; if not, it is added to `left_out`, unless it is one of many that git ignores."""
        if not file.is_file() and not file.is_symlink():
            return False
        target = Path(os.path.realpath(file))
        reason = None
        if not target.is_relative_to(self.root):
            reason = "a link out of the project"
        elif not target.is_file():
            reason = "a link that leads to no file"
        elif file.suffix != ".py" and any(_has_name_of_secret(path) for path in (file, target)):
            reason = "its name is that of a secret"
        elif self._is_ignored(target):
            # Only modules are reported: the recipe may import them and fail.
            reason = "git ignores it" if file.suffix == ".py" else ""
        elif file.suffix != ".py":
            reason = _secret_content(target)
        if reason:
            self._leave(file, reason)
        return reason is None

    def _is_skipped(self, folder: Path) -> bool:
        made = _MADE if self._listed is None else {"__pycache__"}
        named = folder.name.startswith(".") or folder.name in made or folder.suffix == ".egg-info"
        return named or (folder / "pyvenv.cfg").exists() or (folder / "experiment.json").exists()

    def _is_ignored(self, target: Path) -> bool:
        return self._listed is not None and target.relative_to(self.root).as_posix() not in self._listed

    def _leave(self, entry: Path, reason: str) -> None:
        self.left_out[os.path.relpath(entry, self.root)] = reason


def _has_name_of_secret(file: Path) -> bool:
    return any(fnmatch.fnmatchcase(file.name.lower(), pattern) for pattern in SECRETS)


def _secret_content(file: Path) -> str | None:
    """Why a file is left out because of its content; None if it may be taken."""
    try:
        with file.open("rb") as stream:
            return "holds a private key" if _PRIVATE_KEY in stream.read(4096) else None
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _list(root: Path) -> Iterator[str]:
    """The files below a folder that git tracks or does not ignore, including those of nested repositories."""
    command = ["git", "-c", "core.fsmonitor=false", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    # In a git hook, these variables name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=True)
    except OSError as error:
        raise InputError(
            f"{root}: is in a git repository, and git cannot be run to list ignored files: {error.strerror}"
        ) from None
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.decode(errors="replace").split())
        raise InputError(f"{root}: git cannot say which files it ignores: {said}") from None
    for path in map(os.fsdecode, filter(None, done.stdout.split(b"\0"))):
        # A repository within this one is listed as a folder.
        within = root / path
        if (within / ".git").exists() and not within.is_symlink():
            yield from (f"{path.rstrip('/')}/{inner}" for inner in _list(within))
        else:
            yield path
