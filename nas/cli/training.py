"""The commands retrain, evaluate and compare."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from nas.cli import tables
from nas.cli.app import _begin, _begin_training, _changes, _console, _print_json, _say, app
from nas.cli.options import (
    TREES,
    AddressOption,
    AllowOption,
    JsonOption,
    RecipeOption,
    ResumeOption,
    RunArg,
    SetOption,
    SplitOption,
    TensorboardOption,
    ThemeOption,
    TransparentOption,
)
from nas.cli.progress import display, training_figures, working


@app.command()
def retrain(
    run: Annotated[
        Path, typer.Argument(metavar="RUN|RECIPE", help="A run folder; or a recipe, for which a run folder is made.")
    ],
    tree: Annotated[
        str | None,
        typer.Option(
            "--tree", metavar="TREE", help=f"Which tree: {TREES}. By default the tree that the run recommends."
        ),
    ] = None,
    start: Annotated[
        Literal["fresh", "pretrained", "inherited"],
        typer.Option(
            "--from",
            help="Start from new weights, from the backbone's pretrained weights, or from the search's supernet.",
        ),
    ] = "fresh",
    log: Annotated[
        list[str] | None,
        typer.Option("--log", metavar="csv|tensorboard", help="Log every epoch in this form; may be repeated."),
    ] = None,
    tensorboard: TensorboardOption = False,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Seed of weights and batches; by default, that of the recipe.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The run folder, if a recipe is retrained.")] = None,
    changes: SetOption = None,
    resume: ResumeOption = False,
    recipe: RecipeOption = None,
    allow_changed: AllowOption = False,
    address: AddressOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the network of a tree and measure it on the test split.

    random:SEED is a random tree of any cost; random:SEED:BUDGET costs nearly BUDGET, but not more (a share of separate
    networks in (0, 1], or an absolute amount of goal.resource). The same name gives the same tree in every command that
    has --tree.
    """
    from nas.commands.retrain import retrain as run_retrain

    logs = list(dict.fromkeys([*(log or ()), *(["tensorboard"] if tensorboard else ())]))
    with display() as shown:
        result = run_retrain(
            run,
            tree=tree,
            start=start,
            seed=seed,
            out=out,
            changes=_changes(changes) | ({"retrain.logs": logs} if logs else {}),
            resume=resume,
            recipe=recipe,
            allow_changed=allow_changed,
            address=address,
            on_start=lambda training: _begin(shown, f"retrain {training.tree.id}", training),
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
    tree: Annotated[str | None, typer.Option("--tree", metavar="TREE", help=f"Which retrained tree: {TREES}.")] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            help="Measure this checkpoint of a training, or this exported network; by default the best epoch.",
        ),
    ] = None,
    split: SplitOption = "test",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Draw samples with labels and predictions into this png, svg or pdf file."),
    ] = None,
    num_samples: Annotated[
        int | None, typer.Option("--samples", min=1, max=64, help="How many samples to draw; 4.")
    ] = None,
    theme: ThemeOption = None,
    transparent: TransparentOption = False,
    changes: SetOption = None,
    recipe: RecipeOption = None,
    allow_changed: AllowOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure a retrained or exported network on samples.

    Prints losses, metrics and costs, and gains over single-task networks where nas compare has trained these.
    """
    from nas.commands.evaluate import evaluate as run_evaluate

    with working("evaluate"):
        evaluation = run_evaluate(
            run,
            tree=tree,
            checkpoint=checkpoint,
            split=split,
            changes=_changes(changes),
            recipe=recipe,
            allow_changed=allow_changed,
            out=out,
            num_samples=num_samples,
            theme=theme,
            transparent=transparent,
        )
    if as_json:
        _print_json(evaluation.to_dict())
    else:
        _console().print(tables.evaluation_table(evaluation))


@app.command()
def compare(
    run: RunArg,
    changes: SetOption = None,
    recipe: RecipeOption = None,
    allow_changed: AllowOption = False,
    margin: Annotated[
        float | None,
        typer.Option(
            "--require-safe",
            metavar="PERCENT",
            help="Fail (exit status 1) if a task of the recommended tree is worse than alone by more than this.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare the trees of a run with baselines, all retrained.

    The baselines are single-task networks, the shared tree, and random trees of equal cost. Run the command again to
    continue a comparison that was stopped; no training is repeated.
    """
    from nas.commands.compare import compare as run_compare
    from nas.report.figures import COMPARISON
    from nas.run import RunFolder
    from nas.run.safety import check_margin, require_safe

    if margin is not None:
        check_margin(margin)
        # Checked before the trainings: a run with several retrained trees recommends none of them.
        judged = RunFolder.open(run).find_tree(None).id
    with display() as shown:
        comparison = run_compare(
            run,
            changes=_changes(changes),
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
            _say(console, verdict)
        for picture in (run / "figures" / name for name in COMPARISON):
            if picture.is_file():
                console.print(f"drawn: {picture}", highlight=False, markup=False, soft_wrap=True)
        if (page := run / "report.html").is_file():
            console.print(f"report: {page}", highlight=False, markup=False, soft_wrap=True)
    if margin is not None:
        require_safe(comparison, judged, margin)
