"""The one exception for what the user got wrong."""


class InputError(ValueError):
    """Bad input: a recipe, a file, a folder, a setting.

    The message is one line that says what is wrong, where, and what to do. The commands print it and end
    with exit status 2, without a traceback. A broken promise of our own is an ``assert``, never this.
    """


class WorkFailed(RuntimeError):
    """The work itself failed, through nothing that reading the input could have told: exit status 1.

    What was done so far is in the last checkpoint.
    """
