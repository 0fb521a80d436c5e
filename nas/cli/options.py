"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated, Literal

import typer

TREES = "its id, a file, shared, separate, random:SEED or random:SEED:BUDGET"
"""What --tree names."""

RecipeArg = Annotated[
    Path,
    typer.Argument(metavar="RECIPE", help="A Python file with a function experiment() that returns an Experiment."),
]
RunArg = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run folder: what --out of nas search or nas retrain named.")
]
ChangesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="FIELD=VALUE", help="Change a field of the recipe, e.g. strategy.epochs=5; may be repeated."
    ),
]
StrategyOption = Annotated[
    str | None,
    typer.Option(
        "--strategy", metavar="NAME", help="How trees are found: similarity, gradient, bmtas, or a name of the recipe."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
RecipeOption = Annotated[
    Path | None, typer.Option("--recipe", help="The recipe of the run, if it moved or you began the run elsewhere.")
]
AllowOption = Annotated[
    bool, typer.Option("--allow-changed", help="Use the recipe although it has changed since the run began.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint of a stopped run.")]
AddressOption = Annotated[
    str | None,
    typer.Option("--address", metavar="HOST:PORT|auto", help="Run on this Ray cluster; by default, on this machine."),
]
SplitOption = Annotated[
    Literal["train", "architecture", "validation", "test"], typer.Option("--split", help="Which samples to use.")
]
