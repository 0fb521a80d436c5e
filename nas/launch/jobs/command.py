"""The command line that a job runs on the cluster, for each verb.

A search writes its run into the storage itself. Retrainings and comparisons work on a run folder, so their job fetches
the run, works on it and stores the changes (`nas.cli.stored`).
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from nas.errors import InputError

Verb = Literal["search", "retrain", "compare"]

_READ: dict[str, set[str]] = {
    "search": {"resume"},
    "retrain": {"run", "tree", "start", "seed"},
    "compare": {"run"},
}
_PARAMETERS = ("run", "tree", "start", "seed", "resume")


@dataclass(frozen=True)
class Order:
    """What a job has to do.

    Args:
        verb: the command.
        run: the stored run for a retraining or comparison; a retraining without one begins a run.
        resume: the stored run that a search continues.
        tree: for a retraining, an id, a file on this machine, or another name that `nas retrain` knows.
        start, seed: options of a retraining, with the defaults of `nas retrain`.
    """

    verb: Verb = "search"
    run: str | None = None
    resume: str | None = None
    tree: str | None = None
    start: str | None = None
    seed: int | None = None

    @property
    def stored_run(self) -> str | None:
        """The run that must be in the storage, if any."""
        return self.run or self.resume

    @property
    def tree_file(self) -> Path | None:
        """The tree's file on this machine, if a file is named."""
        return Path(self.tree) if self.tree and (self.tree.endswith(".json") or "/" in self.tree) else None

    def check(self) -> None:
        """InputError unless the verb is known and has the parameters that it needs, and no others."""
        if self.verb not in get_args(Verb):
            raise InputError(f"jobs take {', '.join(get_args(Verb))}; found {self.verb!r}")
        for name in _PARAMETERS:
            if getattr(self, name) is not None and name not in _READ[self.verb]:
                raise InputError(f"`{name}` is not for jobs that {self.verb}")
        if self.verb == "compare" and self.run is None:
            raise InputError("a comparison needs the name of a stored run: `run=NAME`")
        if self.verb == "retrain" and self.run is None and self.tree is None:
            raise InputError("a retraining needs a stored run (`run=NAME`) or a tree (`tree=FILE`)")


def entrypoint(
    order: Order, recipe: str, tree: str | None, folder: str, storage: str, changes: Mapping[str, Any]
) -> str:
    """The command line.

    Args:
        recipe, tree: their paths on the cluster.
        folder: the run folder on the cluster; its last part is the run's name in the storage.
        changes: fields to change, as plain data.
    """
    settings = [part for field, value in changes.items() for part in ("--set", f"{field}={json.dumps(value)}")]
    if order.verb == "search":
        place = [recipe, "--address", "auto", "--out", folder, "--storage", storage, *settings]
        return f"python -m nas search {shlex.join(place + (['--resume'] if order.resume else []))}"
    new = order.run is None
    words = ["retrain", recipe, "--out", folder] if new else [order.verb, folder, "--recipe", recipe]
    given = {"--tree": tree, "--from": order.start, "--seed": order.seed}
    words += [part for option, value in given.items() if value is not None for part in (option, str(value))]
    # A comparison needs no flag to continue.
    words += ["--resume"] if order.verb == "retrain" else []
    return f"python -m nas.cli.stored {shlex.join([storage, folder, *words, *settings])}"
