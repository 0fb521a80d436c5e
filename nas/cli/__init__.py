"""The command line ``nas``: it parses arguments, shows progress and prints results. `nas.commands` does the work.

- Each command is a function with the name of the verb, in `app` (check, profile, search), `pictures` (show, data),
  `found` (front, explain, report), `training` (retrain, evaluate, compare), `watch`, `deploy` (export, predict) or
  `jobs` (submit, jobs, logs, stop, fetch). It calls the function of the same name in `nas.commands` or
  `nas.launch.jobs`.
- Results go to standard output, as a table or with ``--json`` as JSON; progress, warnings and the output of recipes go
  to standard error.
- An error is one line. The exit status is 0 on success, 1 if the work failed, 2 if the input was wrong, 130 after
  Ctrl-C and 143 after SIGTERM.
- Library messages name parameters; `flags` replaces them by the flags of the running command.

>>> from nas.cli.main import run
>>> run(["--version"])  # doctest: +ELLIPSIS
branched-nas ...
0

Start with `main.run`. torch is imported when a command runs, so that ``nas --help`` answers at once.
"""

from nas.cli.main import main

__all__ = ["main"]
