"""The commands of the command line; each calls the function of the same name.

Commands are imported when they run: ``nas --help`` and what the parser refuses need not wait for torch.
"""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from nas.cli import tables
from nas.cli.progress import Display, display, quiet_output, training_figures
from nas.tree import format_quantity

if TYPE_CHECKING:
    from nas.commands.compare import Progress
    from nas.experiment import TreeTraining

app = typer.Typer(
    help="Search, look at, retrain and compare branched multi-task networks.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

RecipeArg = Annotated[Path, typer.Argument(metavar="RECIPE", help="A Python file with a function experiment().")]
RunArg = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Change a field: search.epochs=5.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print a machine-readable result.")]
RecipeOption = Annotated[Path | None, typer.Option("--recipe", help="The run's recipe, if it has moved.")]
AllowOption = Annotated[bool, typer.Option("--allow-changed", help="Accept a recipe that changed since.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")]
AddressOption = Annotated[str | None, typer.Option("--address", metavar="HOST:PORT|auto", help="A Ray cluster.")]
SplitOption = Annotated[
    Literal["train", "architecture", "validation", "test"], typer.Option("--split", help="Which samples.")
]


@app.command()
def check(recipe: RecipeArg, set_: SetOption = None, as_json: JsonOption = False) -> None:
    """Labels, one step, predicted time and memory: before a search."""
    from nas.commands import check as run_check

    with quiet_output():
        report = run_check(recipe, changes=_changes(set_))
    if as_json:
        _print_json(report)
        return
    console = _console()
    console.print(tables.check_table(report))
    console.print(f"first losses: {', '.join(f'{name} {loss:.3f}' for name, loss in report['losses'].items())}")
    for budget in report["budgets"]:
        (resource, amount) = next((key, value) for key, value in budget.items() if key != "budget")
        console.print(f"budget {budget['budget']:g}: {format_quantity(amount, resource)}")
    console.print(
        f"search: about {report['seconds']:.0f} s, memory {tables.bytes_in_words(report['memory_bytes'])}, "
        f"checkpoints {tables.bytes_in_words(report['disk_bytes'])}"
    )


@app.command()
def profile(
    recipe: RecipeArg,
    tree: Annotated[Path | None, typer.Option("--tree", metavar="FILE", help="A tree file.")] = None,
    size: Annotated[int | None, typer.Option("--size", help="Height and width of the input.")] = None,
    latency: Annotated[
        Path | None, typer.Option("--latency", metavar="FILE", help="Measure latencies; write the parts' table there.")
    ] = None,
    runtime: Annotated[
        list[str] | None, typer.Option("--runtime", help="How networks are run: eager, compiled, onnxruntime.")
    ] = None,
    batch: Annotated[int, typer.Option("--batch", help="Samples of a timed call.")] = 1,
    rounds: Annotated[int, typer.Option("--rounds", help="Timed calls of each part and network.")] = 20,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """MACs, parameters and activations, and measured latencies; needs no data."""
    from nas.commands import profile as run_profile

    with quiet_output():
        report = run_profile(
            recipe,
            tree=tree,
            size=size,
            latency=latency,
            runtimes=runtime or ["eager"],
            batch_size=batch,
            rounds=rounds,
            changes=_changes(set_),
        )
    if as_json:
        _print_json(report)
        return
    _console().print(tables.profile_table(report))
    if "latency" in report:
        _console().print(tables.latency_table(report["latency"]))


@app.command()
def search(
    recipe: RecipeArg,
    out: Annotated[Path | None, typer.Option("--out", help="Run folder, new or empty.")] = None,
    set_: SetOption = None,
    resume: ResumeOption = False,
    allow_changed: AllowOption = False,
    address: AddressOption = None,
    storage: Annotated[str | None, typer.Option("--storage", metavar="URI", help="Where files are copied to.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Search trees within the budgets; leaves a front, drawn."""
    from nas.commands import search as run_search
    from nas.commands.diagnosing import in_lines, verdicts
    from nas.experiment import plan_trials

    with display() as shown:
        run = run_search(
            recipe,
            out=out,
            changes=_changes(set_),
            resume=resume,
            allow_changed=allow_changed,
            address=address,
            storage=storage,
            on_start=lambda run: shown.begin_trials(plan_trials(run.experiment), run.experiment.search.resource),
            on_event=shown.report,
            on_training=lambda progress: _begin_training(shown, progress),
            on_training_epoch=lambda record: shown.advance(training_figures(record)),
        )
    if as_json:
        _print_json({"run": str(run.path), **run.front.model_dump()})
        return
    console = _console()
    console.print(tables.front_table(run.front))
    console.print(f"recommended: {run.front.best.tree_id}", highlight=False)
    for line in in_lines(verdicts(run)):
        console.print(line, highlight=False, markup=False, soft_wrap=not console.is_terminal)
    console.print(f"run folder: {run.path}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def show(
    path: Annotated[Path, typer.Argument(metavar="RUN|TREE.json", help="A run folder or a tree file.")],
    tree: Annotated[str | None, typer.Option("--tree", metavar="ID", help="A tree of the run.")] = None,
    within: Annotated[
        float | None, typer.Option("--within", metavar="BUDGET", help="The best measured tree of at most this cost.")
    ] = None,
    worst: Annotated[
        float | None, typer.Option("--worst", metavar="PERCENT", help="... with no task worse than alone by more.")
    ] = None,
    resource: Annotated[str | None, typer.Option("--resource", help="What --within counts: macs, params, ms.")] = None,
    latency: Annotated[Path | None, typer.Option("--latency", metavar="FILE", help="A latency table, for ms.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Draw into a png, svg, pdf, dot or graphml.")] = None,
    as_json: JsonOption = False,
) -> None:
    """A branch tree in the terminal, or as a picture."""
    from nas.commands import choose
    from nas.commands import show as run_show
    from nas.commands.show import find

    text = run_show(path, tree=tree, within=within, worst=worst, resource=resource, latency=latency, out=out)
    if not as_json:
        print(text)
    elif within is not None or worst is not None:
        _print_json(choose(path, within=within, worst=worst, resource=resource, latency=latency).to_dict())
    else:
        _print_json(find(path, tree, latency)[0].to_dict())


@app.command()
def retrain(
    run: Annotated[Path, typer.Argument(metavar="RUN|RECIPE", help="A run folder or a recipe.")],
    tree: Annotated[str | None, typer.Option("--tree", metavar="ID|FILE", help="The front's best by default.")] = None,
    start: Annotated[
        Literal["fresh", "pretrained", "inherited"], typer.Option("--from", help="Where weights start.")
    ] = "fresh",
    log: Annotated[list[str] | None, typer.Option("--log", metavar="csv|tensorboard", help="Log epochs.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="The experiment's by default.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Run folder, where a recipe is given.")] = None,
    set_: SetOption = None,
    resume: ResumeOption = False,
    recipe: RecipeOption = None,
    allow_changed: AllowOption = False,
    address: AddressOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a tree's network and measure it on the test split."""
    from nas.commands import retrain as run_retrain

    with display() as shown:

        def on_start(training: "TreeTraining") -> None:
            done = training.checkpoints.epochs()
            total = training.experiment.retrain.epochs
            shown.begin(f"retrain {training.tree.id}", total, done[0] if done else 0)

        result = run_retrain(
            run,
            tree=tree,
            start=start,
            seed=seed,
            out=out,
            changes=_changes(set_) | ({"retrain.logs": log} if log else {}),
            resume=resume,
            recipe=recipe,
            allow_changed=allow_changed,
            address=address,
            on_start=on_start,
            on_epoch=lambda record: shown.advance(training_figures(record)),
        )
    if as_json:
        _print_json(result.to_dict())
        return
    console = _console()
    console.print(tables.measured_table(result.test))
    console.print(f"tree {result.tree_id}, best epoch {result.best_epoch} of {result.num_epochs}, test split")


@app.command()
def evaluate(
    run: RunArg,
    tree: Annotated[str | None, typer.Option("--tree", metavar="ID|FILE", help="A retrained tree.")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="A checkpoint of a training, or an export.")
    ] = None,
    split: SplitOption = "test",
    set_: SetOption = None,
    recipe: RecipeOption = None,
    allow_changed: AllowOption = False,
    as_json: JsonOption = False,
) -> None:
    """Losses and metrics of a retrained network."""
    from nas.commands import evaluate as run_evaluate

    with quiet_output():
        evaluation = run_evaluate(
            run,
            tree=tree,
            checkpoint=checkpoint,
            split=split,
            changes=_changes(set_),
            recipe=recipe,
            allow_changed=allow_changed,
        )
    if as_json:
        _print_json(evaluation.to_dict())
    else:
        _console().print(tables.evaluation_table(evaluation))


@app.command()
def compare(
    run: RunArg,
    set_: SetOption = None,
    recipe: RecipeOption = None,
    allow_changed: AllowOption = False,
    safe: Annotated[
        float | None,
        typer.Option("--require-safe", metavar="PERCENT", help="Fail if a task is worse than alone by more than that."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Found trees against single tasks, the shared tree, random trees.

    What was trained is not trained again, so a stopped comparison goes on by itself.
    """
    from nas.commands import compare as run_compare
    from nas.commands.safety import check_margin, require_safe
    from nas.experiment import RunFolder

    if safe is not None:
        check_margin(safe)
    with display() as shown:
        comparison = run_compare(
            run,
            changes=_changes(set_),
            recipe=recipe,
            allow_changed=allow_changed,
            on_training=lambda progress: _begin_training(shown, progress),
            on_epoch=lambda record: shown.advance(training_figures(record)),
        )
    if as_json:
        _print_json(comparison.to_dict())
    else:
        console = _console()
        console.print(tables.cost_table(comparison), *tables.metric_tables(comparison, console.width))
        for verdict in comparison.verdicts:
            console.print(verdict, highlight=False, markup=False, soft_wrap=not console.is_terminal)
    if safe is not None:
        require_safe(comparison, RunFolder.open(run).front.best.tree_id, safe)


@app.command()
def data(
    source: Annotated[Path, typer.Argument(metavar="NAME|RECIPE", help="digits, scenes, or a recipe.")],
    out: Annotated[Path, typer.Option("--out", help="A png, svg or pdf; or a folder, for the inputs alone.")],
    split: SplitOption = "train",
    num_samples: Annotated[int, typer.Option("--samples", min=1, max=64, help="How many samples.")] = 8,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw a sheet of samples with their labels, or write pictures."""
    from nas.commands import data_sheet

    with quiet_output():
        path = data_sheet(source, out, split=split, num_samples=num_samples, changes=_changes(set_))
    if as_json:
        _print_json({"picture": str(path)})
    else:
        print(path)


def _begin_training(shown: Display, progress: "Progress") -> None:
    training = progress.training
    label = f"[{progress.index + 1}/{progress.total}] {progress.name}, seed {training.seed}"
    done = training.checkpoints.epochs()
    shown.begin(label, training.experiment.retrain.epochs, done[0] if done else 0)


def _changes(texts: list[str] | None) -> dict[str, Any]:
    from nas.experiment import parse_overrides

    return parse_overrides(texts or ())


def _console() -> Console:
    console = Console()
    # Piped output has no width of its own; wide enough that no figure is cut.
    return console if console.is_terminal else Console(width=200)


def _print_json(result: Any) -> None:
    try:
        text = json.dumps(result, indent=2, allow_nan=False)
    except ValueError:  # JSON has neither NaN nor infinity
        text = json.dumps(_without_nan(result), indent=2)
    print(text)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
