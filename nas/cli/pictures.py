"""The commands show and data: trees and samples as text and as pictures."""

from pathlib import Path
from typing import Annotated

import typer

from nas.cli.app import _changes, _print_json, app
from nas.cli.options import TREES, JsonOption, SetOption, SplitOption, ThemeOption, TransparentOption
from nas.cli.progress import working
from nas.errors import InputError


@app.command()
def show(
    path: Annotated[Path, typer.Argument(metavar="RUN|TREE.json", help="A run folder, or a tree file.")],
    tree: Annotated[str | None, typer.Option("--tree", metavar="TREE", help=f"Which tree of a run: {TREES}.")] = None,
    within: Annotated[
        float | None,
        typer.Option(
            "--within",
            metavar="BUDGET",
            help="Show the best tree that nas compare, or else a measured search, knows and that costs at most this: "
            "a share or an amount.",
        ),
    ] = None,
    worst: Annotated[
        float | None,
        typer.Option(
            "--worst",
            metavar="PERCENT",
            help="Show the best tree that nas compare, or else a measured search, knows and in which no task is worse "
            "than alone by more than this.",
        ),
    ] = None,
    resource: Annotated[
        str | None, typer.Option("--resource", help="What --within counts, for instance macs, params or ms.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="TREE",
            help="Say how the tree differs from this one, which is named as by --tree.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Draw the tree into this file: png, svg, pdf, dot or graphml.")
    ] = None,
    theme: ThemeOption = None,
    transparent: TransparentOption = False,
    latency: Annotated[
        Path | None,
        typer.Option(
            "--latency", metavar="FILE", help="Add milliseconds from a latency table (nas profile --latency)."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show a branch tree in the terminal, or draw it.

    In a run without a search, the retrained trees are shown.
    """
    from nas.commands.show import find
    from nas.commands.show import show as run_show

    if against is not None:
        if any(value is not None for value in (within, worst, resource)):
            raise InputError("--against compares the tree of --tree; leave --within, --worst and --resource out")
        from nas.commands.tree_difference import tree_difference

        difference = tree_difference(
            path, against, tree=tree, latency=latency, out=out, theme=theme, transparent=transparent
        )
        if as_json:
            _print_json(difference.to_dict())
        else:
            print(difference.describe())
        return
    text = run_show(
        path,
        tree=tree,
        within=within,
        worst=worst,
        resource=resource,
        latency=latency,
        out=out,
        theme=theme,
        transparent=transparent,
    )
    if not as_json:
        print(text)
    elif within is not None or worst is not None:
        from nas.commands.choose import choose

        _print_json(choose(path, within=within, worst=worst, resource=resource, latency=latency).to_dict())
    else:
        _print_json(find(path, tree, latency)[0].to_dict())


@app.command()
def data(
    source: Annotated[Path, typer.Argument(metavar="NAME|RECIPE", help="A data set (digits or scenes), or a recipe.")],
    out: Annotated[
        Path,
        typer.Option("--out", help="A png, svg or pdf file; or a folder, which gets a picture of each input."),
    ],
    split: SplitOption = "train",
    num_samples: Annotated[int, typer.Option("--samples", min=1, max=64, help="How many samples to draw.")] = 8,
    theme: ThemeOption = None,
    transparent: TransparentOption = False,
    changes: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw samples with their labels, or write inputs as pictures."""
    from nas.commands.data import data_sheet

    with working("data"):
        path = data_sheet(
            source,
            out,
            split=split,
            num_samples=num_samples,
            changes=_changes(changes),
            theme=theme,
            transparent=transparent,
        )
    if as_json:
        _print_json({"picture": str(path)})
    else:
        print(path)
