"""The commands front, explain and report: the trees of a finished search, and why they are as they are."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from nas.cli import tables
from nas.cli.amounts import format_quantity
from nas.cli.app import _console, _print_json, _say, app
from nas.cli.options import TREES, AllowOption, JsonOption, RecipeOption, RunArg, ThemeOption, TransparentOption
from nas.cli.progress import working
from nas.errors import InputError

MoreArg = Annotated[list[str] | None, typer.Argument(hidden=True, metavar="VALUE")]
"""Words after the first value of an option with several values: the parser takes them for arguments."""


@app.command()
def front(
    run: RunArg,
    more: MoreArg = None,
    budgets: Annotated[
        str | None,
        typer.Option(
            "--budgets",
            metavar="A B ...",
            help="Add the best trees within these budgets: shares of the cost of separate networks, or amounts.",
        ),
    ] = None,
    constraints: Annotated[
        str | None,
        typer.Option(
            "--constraints",
            metavar="JSON|FILE",
            help='Add the best trees that keep these constraints, e.g. {"apart": [["depth", "edge"]]}.',
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Draw the front into this png, svg or pdf file.")] = None,
    theme: ThemeOption = None,
    transparent: TransparentOption = False,
    recipe: RecipeOption = None,
    allow_changed: AllowOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the front of a finished search and its whole curve, or add trees for other budgets, without training.

    The new trees join the run, so that show, retrain, compare and export find them.
    """
    from nas.commands.front import front as run_front
    from nas.run import recommendation

    words = _several(budgets, more, "--budgets")
    with working("front"):
        shown = run_front(
            run,
            budgets=None if words is None else [_number(word) for word in words],
            constraints=None if constraints is None else _constraints(constraints),
            out=out,
            theme=theme,
            transparent=transparent,
            recipe=recipe,
            allow_changed=allow_changed,
        )
    if as_json:
        _print_json(shown.to_dict())
        return
    console = _console()
    console.print(tables.front_table(shown.front))
    if not shown.asked:
        if shown.curve is not None:
            console.print(tables.curve_table(shown.curve, shown.separate))
        console.print(f"recommended: {recommendation(shown.front)}", highlight=False, soft_wrap=True)
    for point in shown.asked:
        budget = "without a budget" if point.budget is None else f"budget {point.budget:g}"
        cost = format_quantity(point.cost[shown.front.resource], shown.front.resource)
        console.print(f"{budget}: {point.tree_id}, {cost}", highlight=False)


@app.command()
def explain(
    run: RunArg,
    more: MoreArg = None,
    tasks: Annotated[
        str | None,
        typer.Option("--tasks", metavar="A B ...", help="Explain these tasks, block by block; by default every pair."),
    ] = None,
    tree: Annotated[str | None, typer.Option("--tree", metavar="TREE", help=f"Which tree: {TREES}.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Draw which task helps and hurts which, by a measured search, into this png, svg or pdf file."
        ),
    ] = None,
    theme: ThemeOption = None,
    transparent: TransparentOption = False,
    as_json: JsonOption = False,
) -> None:
    """Say why tasks share or part in the recommended tree, and how sure the search is."""
    from nas.commands.explain import explain as run_explain

    names = _several(tasks, more, "--tasks")
    explained = run_explain(run, tasks=names, tree=tree, out=out, theme=theme, transparent=transparent)
    if as_json:
        _print_json(explained.to_dict())
        return
    console = _console()
    line = partial(_say, console)
    line(f"tree {explained.tree.id}, explained by trial {explained.trial}")
    for section in explained.evidence:
        line(f"\n{section.about}:")
        if names is None:
            console.print(tables.pairs_table(section))
        else:
            for pair in section.pairs:
                line(pair.sentence)
                console.print(tables.blocks_table(pair))
        if section.gains:
            line("what the tasks of this tree gain over networks of their own, in % of their losses:")
            console.print(tables.gains_table(section.gains))
    if not explained.evidence:
        line("this search kept neither dissimilarities nor logits nor trainings, so nothing explains its trees")
    line("")
    for runner_up in explained.runners_up:
        line(runner_up.sentence)
    for verdict in explained.verdicts:
        line(f"{'!' if verdict.concern else ' '} {verdict.text}")


@app.command()
def report(
    run: RunArg,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The HTML file; by default report.html in the run.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a finished search as one HTML file: the answer, the front, every tree, why, and what to do next.

    The file loads nothing: it opens from a disk, prints, and can be sent. search and compare write it, too.
    """
    from nas.commands.report import write_report

    page = write_report(run, out)
    if as_json:
        _print_json({"report": str(page)})
    else:
        print(page)


def _several(value: str | None, more: Sequence[str] | None, flag: str) -> list[str] | None:
    """The words of an option: ``--tasks depth edge`` or ``--tasks depth,edge``; None without the option."""
    if value is None:
        if more:
            raise InputError(f"unexpected argument {more[0]!r}; one run at a time, and {flag} before its values")
        return None
    return [word.strip() for text in (value, *(more or ())) for word in text.split(",")]


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise InputError(
            f"--budgets: {word!r} is not a number; a budget is a share such as 0.4, or an amount"
        ) from None


def _constraints(text: str) -> Any:
    """Constraints as plain data, from JSON or from a file of JSON."""
    from nas.files import read_json

    if not text.lstrip().startswith("{"):
        return read_json(text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"--constraints: neither JSON nor a file ({error})") from None
