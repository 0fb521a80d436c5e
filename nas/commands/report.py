"""`nas report`: one HTML file that says what a search found, how sure it is, and what to do next."""

from pathlib import Path

from nas.report import html
from nas.run import RunFolder


def write_report(run: str | Path, out: str | Path | None = None) -> Path:
    """Write the report of a finished search; returns the file. The recipe is not imported.

    The file loads nothing, so it can be moved and sent. `nas search` and `nas compare` write it, too.

    Args:
        run: a run folder.
        out: the file; by default ``report.html`` in the run folder.

    Raises:
        InputError: no such run, the search is not finished, a malformed file, or jinja2 is missing.
    """
    return html.write_report(RunFolder.open(Path(run)), None if out is None else Path(out))
