"""The commands export and predict."""

import logging
import math
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.amounts import format_quantity
from nas.cli.app import _changes, _console, _print_json, app
from nas.cli.options import TREES, AllowOption, JsonOption, RecipeOption, RunArg, SetOption
from nas.cli.progress import working
from nas.errors import WorkFailed

if TYPE_CHECKING:
    from nas.commands.export import Exported
    from nas.commands.predict import Predictions

_LOGGER = logging.getLogger(__name__)
_HOW = {
    "stretched": "to the network's height and width",
    "ratio kept": "to the network's number of pixels, with their own ratio of the sides",
    "letterbox": "to fit into the network's size, grey around",
}
_MOST_SHOWN = 3
"""At most so many resized pictures are printed; `--json` lists all."""


def _known_format(name: str) -> str:
    from nas.deploy import FORMATS

    if name not in FORMATS:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(FORMATS)}.")
    return name


@app.command()
def export(
    run: RunArg,
    format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            callback=_known_format,
            help="bundle (a folder with weights and a model card), onnx, or pt2 (a torch.export program).",
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
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="Also write an int8 model (onnx only), and measure metrics and latency of both models."
        ),
    ] = False,
    calibration: Annotated[
        int | None,
        typer.Option("--calibration", metavar="N", help="Training samples that calibrate the int8 model; 128."),
    ] = None,
    changes: SetOption = None,
    recipe: RecipeOption = None,
    allow_changed: AllowOption = False,
    as_json: JsonOption = False,
) -> None:
    """Export a retrained network as a bundle, ONNX or .pt2.

    The export is run on samples and compared with the network; if its outputs differ, it is removed.
    """
    from nas.commands.export import export as run_export

    with working("export"):
        exported = run_export(
            run,
            format=format,
            tree=tree,
            tasks=None if tasks is None else [name.strip() for name in tasks.split(",")],
            out=out,
            checkpoint=checkpoint,
            preprocess=preprocess,
            postprocess=postprocess,
            int8=int8,
            calibration=calibration,
            changes=_changes(changes),
            recipe=recipe,
            allow_changed=allow_changed,
        )
    if as_json:
        _print_json(exported.to_dict())
        return
    console = _console()
    for line in [*_lines(exported), *_int8_lines(exported.int8)]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


@app.command()
def predict(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A bundle (folder), .pt2 or .onnx.")],
    inputs: Annotated[Path, typer.Argument(metavar="IMAGE|FOLDER", help="Pictures, or arrays (.npy, .npz).")],
    out: Annotated[Path, typer.Option("--out", help="The folder for pictures, arrays and tables.")],
    batch_size: Annotated[int, typer.Option("--batch", min=1, help="Number of samples that run together.")] = 8,
    letterbox: Annotated[
        bool, typer.Option("--letterbox", help="Fit pictures into the network's size and fill the rest with grey.")
    ] = False,
    recipe: Annotated[
        Path | None, typer.Option("--recipe", help="The recipe that makes the bundle's backbone; it is imported.")
    ] = None,
    changes: SetOption = None,
    time_limit: Annotated[
        float | None, typer.Option("--time-limit", metavar="SECONDS", help="Stop after so many seconds.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Predict all tasks with an exported network.

    Writes maps as pictures and arrays, and other predictions as a table.
    """
    from nas.commands.predict import predict as run_predict

    with working("predict") as steps:
        done = run_predict(
            file,
            inputs,
            out=out,
            batch_size=batch_size,
            letterbox=letterbox,
            recipe=recipe,
            changes=_changes(changes),
            time_limit=time_limit,
            # With a limit, another process does the work.
            on_batch=None if time_limit is not None else partial(steps.step, "samples"),
        )
    if as_json:
        _print_json(done.to_dict())
    else:
        for line in _prediction_lines(done):
            print(line)
    for path, reason in done.left_out.items():
        _LOGGER.warning("%s: %s", path, reason)
    if done.left_out:
        count = len(done.left_out)
        raise WorkFailed(
            f"{count} {'file has' if count == 1 else 'files have'} no predictions, or not all; the rest is in "
            f"{done.out}"
        )


def _prediction_lines(done: "Predictions") -> list[str]:
    threads = "1 thread" if done.num_threads == 1 else f"{done.num_threads} threads"
    lines = [f"{done.num_samples} {'sample' if done.num_samples == 1 else 'samples'} into {done.out}"]
    if tables := [Path(table).name for table in done.tables]:
        lines.append(f"predictions for whole samples: {', '.join(tables)}")
    if done.resized:
        shown = [f"{each.name} {_size(each.own)} -> {_size(each.shown)}" for each in done.resized]
        rest = f" and {len(shown) - _MOST_SHOWN} more" if len(shown) > _MOST_SHOWN else ""
        lines.append(f"resized (height x width), {_HOW[done.how]}: {', '.join(shown[:_MOST_SHOWN])}{rest}")
        lines.append("maps have the size of each picture, turned upright")
    speed = f"{done.samples_per_second:.1f} samples/s (batches of {done.batch_size}, CPU, {threads})"
    return [*lines, f"network: {speed}"]


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"


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


def _int8_lines(int8: "Exported | None") -> list[str]:
    """The int8 model, and what it lost and gained against the float model."""
    if int8 is None:
        return []
    quantized, verified = int8.description.quantized, int8.description.verified
    assert quantized is not None
    assert verified is not None
    name, relative = verified.worst
    lines = [
        str(int8.path),
        f"int8, calibrated on {quantized.num_samples} samples of the training split; largest deviation from the float "
        f"model {verified.deviation[name]:.2g} ({name}, {relative:.1g} of its largest output)",
        f"{quantized.split} split, float -> int8:",
    ]
    for task, measured in quantized.float_metrics.items():
        after = quantized.int8_metrics[task]
        values = ", ".join(f"{metric} {_value(value)} -> {_value(after[metric])}" for metric, value in measured.items())
        lines.append(f"  {task}: {values}")
    whole, small = quantized.float_ms, quantized.int8_ms
    lines.append(
        f"latency: {whole.median:.3g} ms ({whole.low:.3g} to {whole.high:.3g}) -> {small.median:.3g} ms "
        f"({small.low:.3g} to {small.high:.3g}), {quantized.device}"
    )
    return lines


def _value(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "no value"
