"""Arguments and options of several commands."""

from pathlib import Path
from typing import Annotated, Literal

import typer

TREES = "its id, a file, shared, separate, random:SEED or random:SEED:BUDGET"
"""The values of --tree."""

RecipeArg = Annotated[
    Path,
    typer.Argument(metavar="RECIPE", help="A Python file with a function experiment() that returns an Experiment."),
]
RunArg = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, made by nas search or nas retrain.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="FIELD=VALUE", help="Change a field of the recipe, e.g. strategy.epochs=5; may be repeated."
    ),
]
StrategyOption = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        metavar="NAME",
        help="How to find trees: similarity, transfer, gradient, bmtas, parent_choice, ltb, random, evolution, tpe, "
        "policy_rl, two_task, grouping, gradient_affinity, lookahead, what_to_share, bottom_up, or a name that the "
        "recipe defines.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
RecipeOption = Annotated[
    Path | None,
    typer.Option("--recipe", help="The run's recipe, if it was moved or you began the run on another machine."),
]
AllowOption = Annotated[
    bool, typer.Option("--allow-changed", help="Use the recipe although it has changed since the run began.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Continue a stopped run from its last checkpoint.")]
TensorboardOption = Annotated[
    bool,
    typer.Option("--tensorboard", help="Log every epoch for TensorBoard, in a folder tensorboard/ beside the metrics."),
]
AddressOption = Annotated[
    str | None,
    typer.Option("--address", metavar="HOST:PORT|auto", help="Run on this Ray cluster; by default, on this machine."),
]
SplitOption = Annotated[
    Literal["train", "architecture", "validation", "test"], typer.Option("--split", help="Which samples to use.")
]
ThemeOption = Annotated[
    Literal["light", "dark"] | None, typer.Option("--theme", help="A picture for a light or a dark page; light.")
]
TransparentOption = Annotated[bool, typer.Option("--transparent", help="Leave out the picture's background.")]
