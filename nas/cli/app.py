"""The commands check, profile and search; each calls the function of the same name.

The functions are imported when a command runs, so ``nas --help`` and errors of the parser do not wait for torch.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

import nas
from nas.cli import check_tables, tables
from nas.cli.amounts import format_quantity
from nas.cli.options import (
    AddressOption,
    AllowOption,
    JsonOption,
    RecipeArg,
    ResumeOption,
    SetOption,
    StrategyOption,
    TensorboardOption,
)
from nas.cli.progress import Display, display, training_figures, working
from nas.errors import InputError, no_such
from nas.files import without_nan

if TYPE_CHECKING:
    from nas.launch.dispatch import Progress
    from nas.run import TreeTraining

app = typer.Typer(
    help="Find out which tasks should share which part of a network: search, retrain, compare and export branch trees.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"branched-nas {nas.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options for all commands."""


@app.command()
def check(
    recipe: RecipeArg, strategy: StrategyOption = None, changes: SetOption = None, as_json: JsonOption = False
) -> None:
    """Check labels and losses, and predict time and memory, before a long search.

    Reads all labels and takes one step of the search; writes nothing.
    """
    from nas.commands.check import check as run_check

    with working("check"):
        report = run_check(recipe, changes=_changes(changes, strategy))
    if as_json:
        _print_json(report.to_dict())
        return
    console = _console()
    console.print(check_tables.task_table(report))
    console.print(check_tables.check_table(report))
    if report.losses:
        console.print(f"first losses: {', '.join(f'{name} {loss:.3f}' for name, loss in report.losses.items())}")
    for warning in report.warnings:
        _say(console, f"! {warning}")
    for budget in report.budgets:
        (resource, amount) = next((key, value) for key, value in budget.items() if key != "budget")
        console.print(f"budget {budget['budget']:g}: {format_quantity(amount, resource)}")
    if report.latency is not None:
        _say(console, f"milliseconds of {report.latency}")
    console.print(
        f"search: about {report.seconds:.0f} s, memory {tables.bytes_in_words(report.memory_bytes)}, "
        f"checkpoints {tables.bytes_in_words(report.disk_bytes)}"
        if report.seconds is not None and report.disk_bytes is not None
        else "search: this strategy predicts neither time nor memory"
    )


@app.command()
def profile(
    recipe: RecipeArg,
    tree: Annotated[
        Path | None, typer.Option("--tree", metavar="FILE", help="Profile the network of this tree file, too.")
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", help="Height and width of the input; by default, those of input_shape.")
    ] = None,
    latency: Annotated[
        Path | None,
        typer.Option(
            "--latency", metavar="FILE", help="Measure latencies, and write the parts' latencies into this file."
        ),
    ] = None,
    runtimes: Annotated[
        list[str] | None,
        typer.Option(
            "--runtime",
            help="What runs parts and networks: eager, compiled or onnxruntime. More of them run the networks only.",
        ),
    ] = None,
    batch_size: Annotated[int | None, typer.Option("--batch", help="Number of samples in a timed call; 1.")] = None,
    rounds: Annotated[
        int | None, typer.Option("--rounds", help="Number of timed calls of each part and network; 20.")
    ] = None,
    changes: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count MACs, parameters and activations, and measure latencies. Needs no data."""
    from nas.commands.profile import profile as run_profile

    with working("profile"):
        report = run_profile(
            recipe,
            tree=tree,
            size=size,
            latency=latency,
            runtimes=runtimes,
            batch_size=batch_size,
            rounds=rounds,
            changes=_changes(changes),
        )
    if as_json:
        _print_json(report.to_dict())
        return
    _console().print(tables.profile_table(report))
    if report.latency is not None:
        _console().print(tables.latency_table(report.latency))


@app.command()
def search(
    recipe: RecipeArg,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The run folder, new or empty; by default out/NAME/TIME beside the recipe."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="quick: similarity of own copies, for the cost of one or two trainings. measured: short trainings of "
            "trees, for --trainings. bmtas: the published gradient search, about ten trainings. "
            "ltb: the published search of Learning to Branch, 500 epochs.",
        ),
    ] = None,
    trainings: Annotated[
        float | None,
        typer.Option("--trainings", metavar="N", help="What a measured search may cost, in full trainings of a tree."),
    ] = None,
    hours: Annotated[
        float | None, typer.Option("--hours", metavar="H", help="The same in hours of this machine.")
    ] = None,
    strategy: StrategyOption = None,
    changes: SetOption = None,
    resume: ResumeOption = False,
    allow_changed: AllowOption = False,
    address: AddressOption = None,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage", metavar="URI", help="Copy the run to this storage as it proceeds, e.g. s3://bucket/runs."
        ),
    ] = None,
    tensorboard: TensorboardOption = False,
    as_json: JsonOption = False,
) -> None:
    """Search branch trees within the budgets of a recipe.

    Writes the trees, a table of them, their pictures and a report (HTML) into a run folder.
    """
    from nas.commands.search import search as run_search
    from nas.run import plan_trials, recommendation
    from nas.run.verdicts import concern_lines

    with display() as shown:
        run = run_search(
            recipe,
            out=out,
            changes=_changes(
                changes, strategy, preset, trainings, {"trials.logs": ["tensorboard"]} if tensorboard else {}
            ),
            hours=hours,
            resume=resume,
            allow_changed=allow_changed,
            address=address,
            storage=storage,
            on_start=lambda run: shown.begin_trials(plan_trials(run.experiment), run.experiment.goal.resource),
            on_event=shown.report,
            on_training=lambda progress: _begin_training(shown, progress),
            on_training_epoch=lambda record: shown.advance(training_figures(record)),
        )
    if as_json:
        _print_json({"run": str(run.path), **run.front.model_dump()})
        return
    console = _console()
    console.print(tables.front_table(run.front))
    grade = run.front.best and run.front.best.grade
    text = f"recommended: {recommendation(run.front)}{f' ({grade})' if grade else ''}"
    console.print(text, highlight=False, markup=False, soft_wrap=not console.is_terminal)
    for line in concern_lines(run):
        _say(console, line)
    if (page := run.path / "report.html").is_file():
        console.print(f"report: {page}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"run folder: {run.path}", highlight=False, markup=False, soft_wrap=True)


def _begin_training(shown: Display, progress: "Progress") -> None:
    label = f"[{progress.index + 1}/{progress.total}] {progress.name}, seed {progress.training.seed}"
    _begin(shown, label, progress.training)


def _begin(shown: Display, label: str, training: "TreeTraining") -> None:
    done = training.checkpoints.epochs()
    shown.begin(label, training.experiment.retrain.epochs, done[0] if done else 0)


def _changes(
    texts: list[str] | None,
    strategy: str | None = None,
    preset: str | None = None,
    trainings: float | None = None,
    others: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """All changes of the recipe's fields that a command's options make."""
    from nas.recipe import parse_overrides
    from nas.strategies import PRESETS

    if strategy is not None and preset is not None:
        raise InputError(f"--preset {preset} is a strategy with its settings; leave --strategy {strategy} out")
    if preset is not None and preset not in PRESETS:
        raise InputError(f"--preset: {no_such('preset', preset, PRESETS)}")
    name = strategy if preset is None else PRESETS[preset]
    options = {"strategy": name, "strategy.trainings": trainings, **(others or {})}
    given = {key: value for key, value in options.items() if value is not None}
    changes = parse_overrides(texts or ())
    if doubled := sorted(given.keys() & changes.keys()):
        raise InputError(f"--set {doubled[0]}: another option sets this field, too; leave one of them out")
    return given | changes


def _console() -> Console:
    console = Console()
    # Piped output has no width; this one is wide enough for every table.
    return console if console.is_terminal else Console(width=200)


def _say(console: Console, sentence: str) -> None:
    """Print a sentence as it is; a terminal wraps it between words."""
    console.print(sentence, highlight=False, markup=False, soft_wrap=not console.is_terminal)


def _printable(line: str) -> str:
    """Escape characters that do not print: a control sequence in a file name, half a surrogate pair."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)


def _print_json(result: Any) -> None:
    print(json.dumps(without_nan(result), indent=2))
