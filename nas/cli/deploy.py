"""The commands that take a network out of the lab: export and predict."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from nas.cli.app import _changes, _console, _print_json, app
from nas.cli.options import TREES, AllowOption, JsonOption, RecipeOption, RunArg, SetOption
from nas.cli.progress import quiet_output
from nas.tree import format_quantity

if TYPE_CHECKING:
    from nas.commands.export import Exported


@app.command()
def export(
    run: RunArg,
    format: Annotated[
        Literal["bundle", "onnx", "pt2"],
        typer.Option(
            "--format", help="A folder with weights and a model card, an ONNX model, or a torch.export program."
        ),
    ],
    tree: Annotated[str | None, typer.Option("--tree", metavar="TREE", help=f"Which retrained tree: {TREES}.")] = None,
    tasks: Annotated[
        str | None,
        typer.Option(
            "--tasks", metavar="A,B", help="Export only these tasks, and the parts of the network that they need."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The file, or the folder of a bundle; by default in exports/ of the run."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Export this checkpoint of a training; by default the best epoch."),
    ] = None,
    preprocess: Annotated[
        bool, typer.Option("--preprocess", help="The exported graph takes pixels (uint8) and scales them itself.")
    ] = False,
    postprocess: Annotated[
        bool,
        typer.Option(
            "--postprocess", help="The exported graph returns predictions (classes, probabilities) instead of outputs."
        ),
    ] = False,
    set_: SetOption = None,
    recipe: RecipeOption = None,
    allow_changed: AllowOption = False,
    as_json: JsonOption = False,
) -> None:
    """Export a retrained network as a bundle, ONNX or .pt2.

    The export is run on samples and compared with the network before it is kept.
    """
    from nas.commands import export as run_export

    with quiet_output():
        exported = run_export(
            run,
            format=format,
            tree=tree,
            tasks=None if tasks is None else [name.strip() for name in tasks.split(",")],
            out=out,
            checkpoint=checkpoint,
            preprocess=preprocess,
            postprocess=postprocess,
            changes=_changes(set_),
            recipe=recipe,
            allow_changed=allow_changed,
        )
    if as_json:
        _print_json(exported.to_dict())
        return
    console = _console()
    for line in _lines(exported):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


@app.command()
def predict(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A bundle (folder), .pt2 or .onnx.")],
    inputs: Annotated[Path, typer.Argument(metavar="IMAGE|FOLDER", help="Pictures, or arrays (.npy, .npz).")],
    out: Annotated[Path, typer.Option("--out", help="The folder for pictures and arrays.")],
    batch_size: Annotated[int, typer.Option("--batch", min=1, help="Samples that run together.")] = 8,
    as_json: JsonOption = False,
) -> None:
    """Every task's output for pictures, as pictures and arrays."""
    from nas.commands import predict as run_predict

    with quiet_output():
        done = run_predict(file, inputs, out=out, batch_size=batch_size)
    if as_json:
        _print_json(done.to_dict())
        return
    threads = "1 thread" if done.num_threads == 1 else f"{done.num_threads} threads"
    print(f"{done.num_samples} {'sample' if done.num_samples == 1 else 'samples'} into {done.out}")
    print(f"network: {done.samples_per_second:.1f} samples/s (batches of {done.batch_size}, CPU, {threads})")


def _lines(exported: "Exported") -> list[str]:
    described = exported.description
    shape = " x ".join(map(str, described.input.shape))
    free = "batch size, height and width" if described.input.dynamic_size else "batch size"
    cost = ", ".join(format_quantity(amount, resource) for resource, amount in described.cost.items())
    lines = [
        str(exported.path),
        f"tree {described.branch_tree.id}: {', '.join(described.names)}; predicted cost: {cost}",
        f"input: {shape}, of any {free}",
    ]
    if verified := described.verified:
        name, relative = verified.worst
        lines.append(
            f"compared on {verified.num_samples} samples ({verified.samples}): largest deviation "
            f"{verified.deviation[name]:.2g} ({name}, {relative:.1g} of its largest output)"
        )
        if verified.macs is not None:
            lines.append(f"MACs of the graph: {verified.macs}, predicted {described.cost['macs']}")
    return lines
