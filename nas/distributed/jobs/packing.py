"""What a job takes along: the recipe, the local modules it imports, and the project's own code.

Imports are read, not run: every ``import`` of a file, wherever in it, is looked for beside the recipe and below the
project's root. A module goes along as its file, a package as its whole folder.
"""

import ast
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from nas.errors import InputError

MAX_BYTES = 32 * 2**20
"""What a package may weigh; code weighs a hundredth of it, so whatever is beyond is data."""

_ROOT_MARKS = ("setup.cfg", "pyproject.toml", "setup.py", ".git")

_OWN = ("nas", "search_spaces")

_BESIDE_OWN = ("setup.cfg", "pyproject.toml", "tools/constraints.txt")

_SKIPPED = {"__pycache__", "build", "dist"}


@dataclass(frozen=True)
class Package:
    """Files by their path in the package, and where in it the recipe is."""

    files: dict[str, Path]
    recipe: str

    @property
    def num_bytes(self) -> int:
        return sum(file.stat().st_size for file in self.files.values())

    def write(self, folder: Path) -> None:
        """Copy the files into a new folder."""
        for path, file in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / path)


def pack(recipe: Path, *, max_bytes: int = MAX_BYTES) -> Package:
    """The package of a recipe.

    Files are found below the project's root, which is the nearest folder above the recipe that has a setup.cfg,
    pyproject.toml, setup.py or .git, or else the recipe's own. Hidden files, virtual environments, run folders and
    what a build leaves behind stay.

    Raises:
        InputError: no such recipe, a file that is not Python, or more than `max_bytes`.
    """
    if not recipe.is_file():
        raise InputError(f"{recipe}: no such recipe")
    recipe = recipe.resolve()
    root = project_root(recipe)
    files = {recipe.relative_to(root).as_posix(): recipe}
    unread = [recipe]
    for name in _OWN:
        found = _own_package(name)
        if found is not None:
            files |= {file.relative_to(found.parent).as_posix(): file for file in _files_below(found)}
    if (own := _own_package("nas")) is not None:
        files |= {name: own.parent / name for name in _BESIDE_OWN if (own.parent / name).is_file()}
    while unread:
        for file in _local_imports(unread.pop(), [recipe.parent, root]):
            path = file.relative_to(root).as_posix()
            if path not in files:
                files[path] = file
                if file.suffix == ".py":
                    unread.append(file)
    package = Package(files, recipe.relative_to(root).as_posix())
    if package.num_bytes > max_bytes:
        raise InputError(_too_large(package, max_bytes))
    return package


def project_root(recipe: Path) -> Path:
    """The nearest folder above a recipe that looks like a project's root; the recipe's folder if there is none."""
    folders = [folder for folder in recipe.parents if any((folder / mark).exists() for mark in _ROOT_MARKS)]
    return folders[0] if folders else recipe.parent


def _own_package(name: str) -> Path | None:
    spec = find_spec(name)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def _local_imports(file: Path, places: list[Path]) -> Iterator[Path]:
    """The files behind a file's imports that lie at one of the places; names are looked up in each, in order."""
    for name in _imported_names(file):
        top = name.partition(".")[0]
        if top in _OWN:
            continue
        for place in places:
            if (place / f"{top}.py").is_file():
                yield place / f"{top}.py"
                break
            if (place / top).is_dir() and any((place / top).rglob("*.py")):
                yield from _files_below(place / top)
                break


def _imported_names(file: Path) -> Iterator[str]:
    """Full names of imported modules; relative imports stay inside a package, which goes along as a whole."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise InputError(f"{file}{f':{line}' if line else ''}: not Python: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield node.module


def _files_below(folder: Path) -> Iterator[Path]:
    """What goes along of a package's folder."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name in _SKIPPED or entry.suffix == ".egg-info":
            continue
        if entry.is_file():
            yield entry
        elif not (entry / "pyvenv.cfg").exists() and not (entry / "experiment.json").exists():
            yield from _files_below(entry)


def _too_large(package: Package, max_bytes: int) -> str:
    sizes = sorted(((file.stat().st_size, path) for path, file in package.files.items()), reverse=True)
    largest = ", ".join(f"{path} ({size / 2**20:.1f} MiB)" for size, path in sizes[:3])
    return (
        f"{package.recipe}: weighs {package.num_bytes / 2**20:.0f} MiB with what it imports, and a job takes at most "
        f"{max_bytes / 2**20:.0f} MiB along; the largest files are {largest}; leave data to the storage"
    )
