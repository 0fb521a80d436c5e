"""Imports torchmetrics, and says in one sentence which installed package is at fault if that fails.

torchmetrics imports torchvision if it is installed, which fails if torchvision was built for another torch.
"""

from importlib.metadata import PackageNotFoundError, version

from nas.errors import InputError, in_one_line

try:
    import torchmetrics
except Exception as error:
    # The traceback leads to the failing call; the last package in it is the one at fault.
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
