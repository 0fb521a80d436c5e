"""The part that all recipes have: the page, the imports, and the experiment with settings for the amount of data."""

import re
from collections.abc import Iterable, Sequence

from nas.templates.backbones import BackboneCode
from nas.templates.source_text import call, comment

_COMMANDS = {
    "check RECIPE": "labels, one step, memory and time",
    "search RECIPE --out found": "finds branch trees",
    "show found": "the recommended tree",
    "retrain found": "trains its network",
    "compare found": "against separate, shared and random ones",
}

_NAMES = ("CompareSettings", "Experiment", "Similarity", "TrainingSettings", "Transfer", "lazy")

_OPTIMIZER = """
ADAM = OptimizerSettings(kind="adam", lr=1e-3, weight_decay=1e-4)
COSINE = ScheduleSettings(kind="cosine", warmup=0.1)
"""

_BUDGETS = (
    "The search chooses how much a tree may cost. --set goal.budgets=[0.6], or goal=Goal(budgets=[0.6]) here, asks for "
    "the best tree within 0.6 of the cost of separate networks; so does `nas front found --budgets 0.6` afterwards, "
    "without another training."
)
_STRATEGIES = (
    '"similarity" compares networks of each task, for the cost of one or two trainings. "transfer" trains some trees '
    "briefly and measures what sharing does: `nas search RECIPE --preset measured`."
)


def page(name: str) -> str:
    """The docstring of a recipe whose file has this name."""
    # A name that a shell would split, or that would end the docstring, is left to the reader.
    word = name if re.fullmatch(r"[\w.-]{1,40}", name, re.ASCII) else "RECIPE"
    lines = [(f"nas {text.replace('RECIPE', word)}", does) for text, does in _COMMANDS.items()]
    width = max(len(text) for text, _ in lines)
    return "\n".join(
        [
            '"""Which tasks should share which part of a network? `nas init` wrote this draft.',
            "",
            *(f"    {text:{width}}  {does}" for text, does in lines),
            "",
            "`nas settings` lists every field; `--set strategy.epochs=5` changes one for a command.",
            '"""',
            "",
            "",
        ]
    )


def imports(lines: Iterable[str], backbone: BackboneCode, *, names: Iterable[str] = ()) -> str:
    """The imports of a recipe, sorted; those of the user's own backbone come after a blank line.

    Args:
        names: further names of `nas`.
    """
    ours = call("from nas import ", sorted((*_NAMES, *names), key=lambda name: (name.islower(), name)))
    engine = "from nas.engine.optimizer import OptimizerSettings, ScheduleSettings"
    block = sorted((ours, engine, *lines, *backbone.imports), key=lambda line: line.split()[1])
    return "\n".join(["from pathlib import Path", "", *block, *(["", backbone.own] if backbone.own else []), ""])


def experiment(
    data: Sequence[str],
    backbone: BackboneCode,
    *,
    num_training: int,
    steps: int,
    most_batch: int,
    note: str = "",
    fields: str = "",
) -> str:
    """The function ``experiment()``, and the settings that it uses.

    Args:
        data: the arguments of the lazy object that makes the data.
        num_training: number of samples that a search trains on.
        steps: how many steps a training is to have, about.
        most_batch: the largest batch; smaller if there are few samples.
        note: what a comment says about the data.
        fields: further lines of the experiment.
    """
    batch = most_batch
    while batch > 4 and 4 * batch > num_training:
        batch //= 2
    in_epoch = max(num_training // batch, 1)
    epochs = min(max(-(-steps // in_epoch), 4), 60)
    about = (
        f"{num_training} samples to train on are {in_epoch} steps of {batch} in an epoch. If the search says that a "
        "task has learned nothing, raise epochs."
    )
    spent = (f"epochs={epochs}", f"batch_size={batch}", "weights=ADAM", "schedule=COSINE")
    retrain = (f"epochs={2 * epochs}", f"batch_size={batch}", "optimizer=ADAM", "schedule=COSINE")
    return f"""{_OPTIMIZER}

def experiment() -> Experiment:
{comment(about, 4)}
    own_copies = {call("Similarity", spent, 4)}
    return Experiment(
{comment(backbone.note, 8)}
        backbone={call("lazy", backbone.arguments, 8)},
{comment(note, 8) + chr(10) if note else ""}        data={call("lazy", data, 8)},
{fields}{comment(_BUDGETS, 8)}
{comment(_STRATEGIES, 8)}
        strategies={{
            "similarity": own_copies,
            "transfer": Transfer(trainings=6, start=own_copies),
        }},
        strategy="similarity",
        retrain={call("TrainingSettings", retrain, 8)},
        compare=CompareSettings(seeds=(0, 1, 2), random_trees=3),
    )
"""
