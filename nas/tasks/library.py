"""torchmetrics, or one sentence that says which installed package keeps it from being imported.

torchmetrics imports torchvision wherever it is installed. One that was built for another torch fails at its import.
"""

from importlib.metadata import PackageNotFoundError, version

from nas.errors import InputError, in_one_line

try:
    import torchmetrics
except Exception as error:
    # From the outermost call to the one that failed: the last package that torchmetrics asked for.
    names, place = [], error.__traceback__
    while place is not None:
        names.append(str(place.tb_frame.f_globals.get("__name__", "")).partition(".")[0])
        place = place.tb_next
    culprit = next((name for name in reversed(names) if name not in ("importlib", "torch", "nas", "")), "torchmetrics")
    try:
        installed = f"{culprit} {version(culprit)}"
    except PackageNotFoundError:
        installed = culprit
    raise InputError(
        f"the installed {installed} cannot be imported ({in_one_line(error)}); install the build of it that belongs to "
        f"torch {version('torch')}, or uninstall {culprit} if nothing else needs it"
    ) from error

__all__ = ["torchmetrics"]
