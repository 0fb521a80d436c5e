"""The code behind a recipe: the local modules that it imports, and whether they have changed.

A recipe's own text says little about a network whose layers are in a module beside it. So every import in the recipe,
and in the modules that it leads to, is looked up without running anything: imports inside functions count, and so do
other recipes. Local is what is neither Python's own nor installed nor a part of `nas`, whose version a run records.
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
"""By name and file, the hashes that local modules had when they were found to be imported in this process."""


def module_hashes(recipe: Path) -> dict[str, str]:
    """SHA-256 of each local module that a recipe imports, directly or not, by the module's full name.

    Of a module that is imported already, it is the hash that it had when this function first met it so: `load_recipe`
    calls it at once, so what is edited while a command begins counts as changed. A module whose name is put together
    at run time is found if it is loaded and its package is imported by name.
    """
    files = sorted(_files(_imports(recipe)).items())
    return {name: _imported(name, file) if _is_loaded(name, file) else _hash(file) for name, file in files}


def changed_modules(recipe: Path, recorded: Mapping[str, str]) -> list[str]:
    """Of the modules that a recipe imported, those that are gone or have another text."""
    found = {name: dict(_places(name, recipe)).get(name) for name in recorded}
    return [name for name, file in found.items() if file is None or _hash(file) != recorded[name]]


def forget_changed(recipe: Path) -> None:
    """Let a recipe's local modules be imported anew where this process has others of the same name or an older text.

    A module that imports such a one is imported anew, too.
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
    """Whether another module of this name, or an older text, is loaded than the one that is in a file or a folder."""
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
    """Which module imports which, from the recipe on (the node ""); those that are files have a ``file``."""
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
    """Full names of what a file imports, anywhere in it; some are no modules but what modules hold."""
    try:
        text = file.read_bytes()
    except OSError:
        return ()
    return _names_in(text, importer if file.name == "__init__.py" else importer.rpartition(".")[0])


@functools.lru_cache(maxsize=4096)  # A command looks at the same texts several times.
def _names_in(text: bytes, package: str) -> tuple[str, ...]:
    """The same of the text of a module of a package."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        # What cannot be read cannot be imported either, unless it is compiled already.
        return ()
    found: list[str] = []
    for node in ast.walk(tree):
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
    """The full name of a module that a module of a package imports; empty if it would be outside of every package."""
    try:
        return importlib.util.resolve_name(name, package or None)
    except ImportError:
        return ""


def _local_places(name: str, recipe: Path) -> Iterator[tuple[str, Path | None]]:
    """The same as `_places` of a local module; of any other, nothing."""
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

    A folder without ``__init__.py`` has no file. The walk ends before the first name that is no module.
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
    """The file of a module in one of some folders, and the folders that its own modules are in."""
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
    """The same of a module that was found in another way and is loaded, as those of an editable installation are."""
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
