"""Which runs this user began on this machine, and by which recipe: marks outside of the run folders.

A run folder may come from anybody, and so may the path of the recipe in its record. A recorded recipe is imported only
if a mark says that this user began this run with it. The mark goes by the id in the run's record, so a run that is
moved or renamed stays its owner's.
"""

import logging
import os
import re
from pathlib import Path

from nas.errors import InputError
from nas.files import make_folder, read_json, write_json_atomically

_LOGGER = logging.getLogger(__name__)

_ID = re.compile(r"[0-9a-f]{32}")


def marks_folder() -> Path | None:
    """``branched-nas/runs`` in the folder of the user's state; None for a user without a home."""
    state = os.environ.get("XDG_STATE_HOME", "")
    # A relative path is to be ignored, by the specification of the XDG base directories.
    if not os.path.isabs(state):
        try:
            state = str(Path.home() / ".local" / "state")
        except RuntimeError:
            return None
    return Path(state) / "branched-nas" / "runs"


def mark_begun(run_id: str, recipe: Path) -> None:
    """Note that this user begins a run with a recipe; a warning if that cannot be written anywhere."""
    folder = marks_folder()
    try:
        if folder is None:
            raise InputError("this user has no home folder")
        make_folder(folder)
        write_json_atomically(folder / f"{run_id}.json", {"schema_version": 1, "recipe": str(recipe.resolve())})
    except (InputError, OSError) as error:
        _LOGGER.warning(
            "cannot note that you began this run (%s), so name its recipe in later commands: "
            "nas retrain RUN --recipe RECIPE; a writable folder in XDG_STATE_HOME would do",
            error,
        )


def require_begun_here(run: Path, run_id: object, recipe: str) -> None:
    """InputError unless this user began the run of this id with this recipe."""
    folder = marks_folder()
    known = isinstance(run_id, str) and _ID.fullmatch(run_id) is not None
    mark = folder / f"{run_id}.json" if folder is not None and known else None
    if mark is None or not mark.is_file():
        raise InputError(
            f"{run}: names {recipe} as its recipe, which is imported only if you began the run on this machine, and "
            f"{folder or 'a folder of your state'} has no note of that; name your recipe with `recipe=FILE`"
        )
    found = read_json(mark)
    begun_with = found.get("recipe") if isinstance(found, dict) else None
    if begun_with != recipe:
        raise InputError(
            f"{run}: names {recipe} as its recipe, but you began the run with {begun_with}; "
            "name your recipe with `recipe=FILE`"
        )
