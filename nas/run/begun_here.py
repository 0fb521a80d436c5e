"""Notes, outside of the run folders, of the runs that this user began on this machine, and of their recipes.

A run folder, with the path of a recipe in its record, may come from another person. So the recorded recipe is imported
only if there is a note that this user began this run with it. The note is found by the run's id, so a run may be moved
or renamed.
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
    """``branched-nas/runs`` in the user's state folder; None for a user without a home."""
    state = os.environ.get("XDG_STATE_HOME", "")
    # The XDG base directory specification says to ignore relative paths.
    if not os.path.isabs(state):
        try:
            state = str(Path.home() / ".local" / "state")
        except RuntimeError:
            return None
    return Path(state) / "branched-nas" / "runs"


def mark_begun(run_id: str, recipe: Path) -> None:
    """Write the note that this user begins a run with a recipe; a warning if it cannot be written."""
    folder = marks_folder()
    try:
        if folder is None:
            raise InputError("this user has no home folder")
        make_folder(folder)
        write_json_atomically(folder / f"{run_id}.json", {"schema_version": 1, "recipe": str(recipe.resolve())})
    except (InputError, OSError) as error:
        _LOGGER.warning(
            "cannot write the note that you began this run (%s), so name its recipe in later commands: "
            "nas retrain RUN --recipe RECIPE; "
            "set XDG_STATE_HOME to a writable folder to avoid this",
            error,
        )


def require_begun_here(run: Path, run_id: object, recipe: str) -> None:
    """InputError unless this user began the run of this id with this recipe."""
    folder = marks_folder()
    known = isinstance(run_id, str) and _ID.fullmatch(run_id) is not None
    mark = folder / f"{run_id}.json" if folder is not None and known else None
    if mark is None or not mark.is_file():
        raise InputError(
            f"{run}: its recorded recipe {recipe} is imported only if you began the run on this machine, and "
            f"{folder or 'your state folder'} has no note of that; name your recipe with `recipe=FILE`"
        )
    found = read_json(mark)
    begun_with = found.get("recipe") if isinstance(found, dict) else None
    if begun_with != recipe:
        raise InputError(
            f"{run}: its recorded recipe is {recipe}, but you began the run with {begun_with}; "
            "name your recipe with `recipe=FILE`"
        )
