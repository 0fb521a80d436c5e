"""The code behind a recipe: the local modules that it imports, and whether they have changed.

A network may be defined in a module beside the recipe, so the text of the recipe alone does not identify it. All
imports of the recipe, and of the modules that it imports, are looked up without running code. This includes imports
inside functions, and imports of other recipes. A module is local if it belongs neither to Python, nor to an installed
package, nor to `nas`; a run records the versions of these.
"""

import ast
import functools
import hashlib
import importlib
import importlib.util
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import networkx as nx

_INSTALLED = {"site-packages", "dist-packages"}

_NOT_LOCAL = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")}
_NOT_LOCAL.add(Path(__file__).resolve().parents[1])

_IMPORTED: dict[tuple[str, Path], str] = {}
"""By name and file, the hashes of local modules when this process was first found to have imported them."""


def module_hashes(recipe: Path) -> dict[str, str]:
    """SHA-256 of each local module that a recipe imports, directly or not, by the module's full name.

    The hash of an imported module is that of the first call after its import. `load_recipe` calls this function at
    once, so later edits count as changes. A module whose name is composed at run time is found if it is loaded and its
    package is imported by name.
    """
    files = sorted(_files(_imports(recipe)).items())
    return {name: _imported(name, file) if _is_loaded(name, file) else _hash(file) for name, file in files}


def changed_modules(recipe: Path, recorded: Mapping[str, str]) -> list[str]:
    """The recorded modules of a recipe that are gone or have another text."""
    found = {name: dict(_places(name, recipe)).get(name) for name in recorded}
    return [name for name, file in found.items() if file is None or _hash(file) != recorded[name]]


def forget_changed(recipe: Path) -> None:
    """Unload local modules of a recipe if this process loaded an older text, or another module of the same name.

    Modules that import an unloaded module are unloaded, too. All are imported again when they are needed.
    """
    importlib.invalidate_caches()
    for name, file in [key for key in _IMPORTED if key[0] not in sys.modules]:
        del _IMPORTED[name, file]
    graph = _imports(recipe)
    stale = {name for name, fields in graph.nodes.items() if _is_stale(name, fields.get("file"))}
    again = stale.union(*(nx.ancestors(graph, name) for name in stale))
    for name in again:
        sys.modules.pop(name, None)
    for name, file in [key for key in _IMPORTED if key[0] in again]:
        del _IMPORTED[name, file]


def _is_stale(name: str, file: Path | None) -> bool:
    """Whether the loaded module of this name is another one than that of the file or folder, or has an older text."""
    if name not in sys.modules:
        return False
    if file is None:
        return getattr(sys.modules[name], "__file__", None) is not None
    return not _is_loaded(name, file) or _imported(name, file) != _hash(file)


def _is_loaded(name: str, file: Path) -> bool:
    loaded = getattr(sys.modules.get(name), "__file__", None)
    return loaded is not None and Path(loaded).resolve() == file.resolve()


def _imported(name: str, file: Path) -> str:
    return _IMPORTED.setdefault((name, file.resolve()), _hash(file))


def _imports(recipe: Path) -> "nx.DiGraph[str]":
    """Graph of imports from the recipe (node "") on; nodes of modules that are files have an attribute ``file``."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_node("")
    unread: list[tuple[str, Path]] = [("", recipe)]
    while unread:
        importer, file = unread.pop()
        for imported in _imported_names(file, importer):
            for name, found in _local_places(imported, recipe):
                if name not in graph:
                    graph.add_node(name, file=found)
                    if found is not None:
                        unread.append((name, found))
                graph.add_edge(importer, name)
    packages = {name.partition(".")[0] for name in graph}
    for name in [name for name in sys.modules if name.partition(".")[0] in packages and name not in graph]:
        graph.add_node(name, file=dict(_local_places(name, recipe)).get(name))
    return graph


def _files(graph: "nx.DiGraph[str]") -> dict[str, Path]:
    return {name: fields["file"] for name, fields in graph.nodes.items() if fields.get("file") is not None}


def _imported_names(file: Path, importer: str) -> tuple[str, ...]:
    """Full names of what a file imports, anywhere in it: modules, and names that modules define."""
    package = importer if file.name == "__init__.py" else importer.rpartition(".")[0]
    try:
        return imported_names(file.read_bytes(), package)
    except (OSError, SyntaxError, ValueError, RecursionError):
        # What cannot be read cannot be imported either, unless it is compiled already.
        return ()


@functools.lru_cache(maxsize=4096)  # A command looks at the same texts several times.
def imported_names(text: bytes, package: str = "") -> tuple[str, ...]:
    """Full names of what a module's text imports, anywhere in it: modules, and names that modules define.

    Args:
        package: the package that the module is in; without one, relative imports are left out.

    Raises:
        SyntaxError, ValueError: the text is not Python.
    """
    found: list[str] = []
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names):
                found.extend(alias.name for alias in names)
            case ast.ImportFrom(module, names, level):
                start = _absolute("." * level + (module or ""), package)
                found.extend(f"{start}.{alias.name}" for alias in names if start)
            case ast.Call(
                ast.Name("import_module" | "__import__") | ast.Attribute(attr="import_module"),
                [ast.Constant(str(name)), *_],
            ):
                found.extend(filter(None, [_absolute(name, package)]))
    return tuple(found)


def _absolute(name: str, package: str) -> str:
    """The full name of a relative import in a package; empty if it would lead out of the outermost package."""
    try:
        return importlib.util.resolve_name(name, package or None)
    except ImportError:
        return ""


def _local_places(name: str, recipe: Path) -> Iterator[tuple[str, Path | None]]:
    """`_places` for a local module; nothing for any other module."""
    top = name.partition(".")[0]
    loaded = getattr(sys.modules.get(top), "__file__", None)
    if top in sys.builtin_module_names or (loaded is not None and not _is_local(Path(loaded))):
        return
    for place, file in _places(name, recipe):
        if file is not None and not _is_local(file):
            return
        yield place, file


def _places(name: str, recipe: Path) -> Iterator[tuple[str, Path | None]]:
    """The packages that a module is in, outermost first, then the module, each with its file.

    A folder without ``__init__.py`` has no file. The result ends before the first name that is not a module.
    """
    places: Iterable[str | Path] = [recipe.resolve().parent, *sys.path]
    whole = ""
    for part in name.split("."):
        whole = f"{whole}.{part}" if whole else part
        found = _find(part, places) or _loaded(whole)
        if found is None:
            return
        file, places = found
        yield whole, file


def _find(name: str, places: Iterable[str | Path]) -> tuple[Path | None, list[Path]] | None:
    """The file of a module in the first folder that has it, and the folders of its submodules."""
    spaces = []
    for place in map(Path, places):
        if (package := place / name / "__init__.py").is_file():
            return package, [package.parent]
        for suffix in (".py", *EXTENSION_SUFFIXES):
            if (file := place / f"{name}{suffix}").is_file():
                return file, []
        if name and (place / name).is_dir():
            spaces.append(place / name)
    return (None, spaces) if spaces else None


def _loaded(name: str) -> tuple[Path | None, list[Path]] | None:
    """`_find` for a loaded module that is in none of the places, such as one of an editable installation."""
    module = sys.modules.get(name)
    file = getattr(module, "__file__", None)
    if file is None:
        return None
    return Path(file), [Path(place) for place in getattr(module, "__path__", ())]


@functools.cache
def _is_local(file: Path) -> bool:
    whole = file.resolve()
    if _INSTALLED & {*file.parts, *whole.parts}:
        return False
    return not any(whole.is_relative_to(folder) for folder in _NOT_LOCAL)


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
