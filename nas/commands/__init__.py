"""The commands as functions: each verb of the command line under the same name, with the same meaning.

They return values and raise `InputError` for what the user got wrong; printing is the command line's.
"""

from nas.commands.check import check
from nas.commands.choose import choose
from nas.commands.compare import compare
from nas.commands.comparison import Comparison
from nas.commands.data import data_sheet
from nas.commands.evaluate import evaluate
from nas.commands.export import export
from nas.commands.opened_run import open_run
from nas.commands.predict import predict
from nas.commands.profile import profile
from nas.commands.retrain import retrain
from nas.commands.search import search
from nas.commands.show import show

__all__ = [
    "Comparison",
    "check",
    "choose",
    "compare",
    "data_sheet",
    "evaluate",
    "export",
    "open_run",
    "predict",
    "profile",
    "retrain",
    "search",
    "show",
]
