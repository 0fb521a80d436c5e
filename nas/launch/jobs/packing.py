"""Collect the files that a job takes along: the recipe, the local modules it imports, and this project's code.

Imports are read from the source, without running it: every imported name is looked for beside the recipe and below the
project's root. A module is packed as its file, a package as its whole folder, except files that `Project` leaves out.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from nas.errors import InputError
from nas.launch.jobs.project import Project

MAX_BYTES = 32 * 2**20
"""The default limit for a package. Code is about a hundredth of it, so larger packages contain data."""

_ROOT_MARKS = ("setup.cfg", "pyproject.toml", "setup.py", ".git")

_OWN = ("nas", "search_spaces")

_TREE = "submitted-tree.json"

_BESIDE_OWN = ("setup.cfg", "pyproject.toml", "tools/constraints.txt")


@dataclass(frozen=True)
class Package:
    """The files that a job takes along.

    Args:
        files: files by their path in the package.
        recipe, tree: their paths in the package; ``tree`` is None if no tree file is packed.
        left_out: files that the recipe may need but that are not packed, with the reason.
        has_git: whether git was asked which files of the recipe's project it ignores.
    """

    files: dict[str, Path]
    recipe: str
    tree: str | None
    left_out: dict[str, str]
    has_git: bool

    @property
    def num_bytes(self) -> int:
        return sum(self.sizes.values())

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each file, by its path in the package."""
        return {path: file.stat().st_size for path, file in sorted(self.files.items())}

    @property
    def notes(self) -> list[str]:
        """Sentences about files that are left out."""
        notes = [f"left out: {path}: {reason}" for path, reason in self.left_out.items()]
        return notes if self.has_git else [*notes, "not a git repository, so nothing is left out as ignored"]

    def to_dict(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe,
            "files": self.sizes,
            "num_bytes": self.num_bytes,
            "left_out": self.left_out,
            "git": self.has_git,
        }

    def write(self, folder: Path) -> None:
        """Copy the files into a new folder."""
        for path, file in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / path)


def pack(recipe: Path, *, tree: Path | None = None, max_bytes: int = MAX_BYTES) -> Package:
    """Pack a recipe, and a tree file if one is named.

    Files are searched below the project's root: the nearest folder above the recipe with a setup.cfg, pyproject.toml,
    setup.py or .git, or else the recipe's folder. `Project` decides which of them may be packed. The recipe and the
    tree always are, because the user names them.

    Raises:
        InputError: no such recipe, a file that is not Python, more than `max_bytes`, or git does not answer.
    """
    if not recipe.is_file():
        raise InputError(f"{recipe}: no such recipe")
    recipe = recipe.resolve()
    project = Project(project_root(recipe))
    files: dict[str, Path] = {}
    for own in _OWN:
        files |= _own_files(own, project.left_out)
    name = recipe.relative_to(project.root).as_posix()
    files[name] = recipe
    unread = [recipe]
    while unread:
        for file in _local_imports(unread.pop(), [recipe.parent, project.root], project):
            path = file.relative_to(project.root).as_posix()
            if path not in files:
                files[path] = file
                if file.suffix == ".py":
                    unread.append(file)
    if tree is not None:
        files[_TREE] = tree.resolve()
    package = Package(files, name, None if tree is None else _TREE, project.left_out, project.has_git)
    if package.num_bytes > max_bytes:
        raise InputError(_too_large(package, max_bytes))
    return package


def project_root(recipe: Path) -> Path:
    """The nearest folder above a recipe that looks like a project's root; the recipe's folder if there is none."""
    folders = [folder for folder in recipe.parents if any((folder / mark).exists() for mark in _ROOT_MARKS)]
    return folders[0] if folders else recipe.parent


def _own_files(name: str, left_out: dict[str, str]) -> dict[str, Path]:
    """The files of one of this project's packages by their path in the job; for nas, also the files to install it."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        return {}
    folder = Path(spec.origin).parent
    # Installed with pip, the package is not in a project, or in one whose git ignores it.
    project = Project(folder.parent if (folder.parent / ".git").exists() else folder)
    own = [*project.files_below(folder)]
    left_out |= project.left_out
    if name == "nas":
        own += [folder.parent / path for path in _BESIDE_OWN if (folder.parent / path).is_file()]
    return {file.relative_to(folder.parent).as_posix(): file for file in own}


def _local_imports(file: Path, places: list[Path], project: Project) -> Iterator[Path]:
    """The files that a file imports from one of the places; a name is looked up in each place, in order."""
    for name in _imported_names(file):
        top = name.partition(".")[0]
        if top in _OWN:
            continue
        for place in places:
            if (place / f"{top}.py").is_file():
                if project.takes(place / f"{top}.py"):
                    yield place / f"{top}.py"
                break
            if (place / top).is_dir() and any((place / top).rglob("*.py")):
                yield from project.files_below(place / top)
                break


def _imported_names(file: Path) -> tuple[str, ...]:
    """Full names of imported modules; relative imports stay inside a package, which is packed as a whole."""
    # Imported here: other functions of this package need no torch, and are seconds faster without it.
    from nas.recipe.modules import imported_names

    try:
        return imported_names(file.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise InputError(f"{file}{f':{line}' if line else ''}: not Python: {error}") from error


def _too_large(package: Package, max_bytes: int) -> str:
    sizes = sorted(((file.stat().st_size, path) for path, file in package.files.items()), reverse=True)
    largest = ", ".join(f"{path} ({size / 2**20:.1f} MiB)" for size, path in sizes[:3])
    return (
        f"{package.recipe}: has {package.num_bytes / 2**20:.0f} MiB with what it imports, and a job takes at most "
        f"{max_bytes / 2**20:.0f} MiB along; the largest files are {largest}; leave data to the storage"
    )
