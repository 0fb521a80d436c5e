"""Neural architecture search for branched multi-task networks.

The names below are all that most programs need; each command of the command line is a function here. They are
imported when first used, so ``import nas.tree`` stays free of torch.
"""

from typing import TYPE_CHECKING, Any

from nas.display import Displayed, draw_with
from nas.lazy_names import on_first_use

if TYPE_CHECKING:
    from nas.commands.check import check as check
    from nas.commands.choose import choose as choose
    from nas.commands.compare import compare as compare
    from nas.commands.data import data_sheet as data_sheet
    from nas.commands.evaluate import evaluate as evaluate
    from nas.commands.explain import explain as explain
    from nas.commands.export import export as export
    from nas.commands.front import front as front
    from nas.commands.init import init as init
    from nas.commands.open import open as open
    from nas.commands.predict import predict as predict
    from nas.commands.profile import profile as profile
    from nas.commands.report import write_report as write_report
    from nas.commands.retrain import retrain as retrain
    from nas.commands.search import search as search
    from nas.commands.settings import settings as settings
    from nas.commands.show import show as show
    from nas.commands.tree_difference import tree_difference as tree_difference
    from nas.deploy import load_bundle as load_bundle
    from nas.deploy import open_model as open_model
    from nas.errors import InputError as InputError
    from nas.errors import WorkFailed as WorkFailed
    from nas.launch.jobs import fetch as fetch
    from nas.launch.jobs import jobs as jobs
    from nas.launch.jobs import logs as logs
    from nas.launch.jobs import stop as stop
    from nas.launch.jobs import submit as submit
    from nas.networks.branched import BranchedNetwork as BranchedNetwork
    from nas.recipe import CompareSettings as CompareSettings
    from nas.recipe import Experiment as Experiment
    from nas.recipe.lazy import lazy as lazy
    from nas.run import RunFolder as RunFolder
    from nas.strategies import TPE as TPE
    from nas.strategies import Evolution as Evolution
    from nas.strategies import Goal as Goal
    from nas.strategies import Gradient as Gradient
    from nas.strategies import ParentChoice as ParentChoice
    from nas.strategies import PolicyRL as PolicyRL
    from nas.strategies import RandomTrees as RandomTrees
    from nas.strategies import Similarity as Similarity
    from nas.strategies import Transfer as Transfer
    from nas.strategies import bmtas as bmtas
    from nas.strategies import ltb as ltb
    from nas.tasks import Task as Task
    from nas.training import TrainingSettings as TrainingSettings
    from nas.tree import BranchTree as BranchTree

__version__ = "0.1.0"


def _draw(value: Displayed) -> str | None:
    from nas.report.notebook import draw

    return draw(value)


# Here, above all packages, because the results are in packages below the one that draws them.
draw_with(_draw)
_first_use, __dir__ = on_first_use(__name__)
_MOVED = {"SearchSettings", "SimilaritySettings"}


def __getattr__(name: str) -> Any:
    if name in _MOVED:
        raise ImportError(
            f"nas.{name}: write goal=nas.Goal(budgets=...) for the trees that are wanted, and "
            "strategy=nas.Similarity(...), nas.Gradient(...) or nas.Transfer(...) for how they are found"
        )
    return _first_use(name)
