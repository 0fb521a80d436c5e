"""`nas.open`: a run with its results."""

from pathlib import Path

from nas.run.results import Run


def open(run: str | Path) -> Run:
    """A run with its results: trees, front, curve, costs, dissimilarities, transfer map, comparison, trainings.

    They show themselves in a notebook, as a picture or a table, and ``to_frame()`` makes each a DataFrame. Nothing of
    the run is executed, and its recipe is not imported.

    Raises:
        InputError: no such run, or its record is malformed.
    """
    return Run.open(Path(run))
