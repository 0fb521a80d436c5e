"""`nas export`: a trained network in one of `nas.deploy.formats`, verified."""

import logging
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from nas.commands.evaluate import best_checkpoint
from nas.commands.export_int8 import NUM_CALIBRATION, int8_path, write_int8
from nas.deploy import (
    FORMATS,
    Description,
    Export,
    ExportFormat,
    InputRecord,
    Measurement,
    Samples,
    TaskRecord,
    draw_samples,
    find_format,
    is_bundle,
)
from nas.deploy.export_macs import warn_of_macs
from nas.display import Displayed
from nas.engine.checkpoint import load_tensors
from nas.errors import InputError, no_such
from nas.files import make_folder, write_json_atomically
from nas.networks.branched import BranchedNetwork, sub_network
from nas.run import TrainedNetwork, build_backbone, build_network, installed_version
from nas.run.opened_run import OpenRun, Recipe, find_tree, open_run
from nas.tasks import Task
from nas.training import load_network
from nas.tree import BranchTree, CostTable, read_tree

_LOGGER = logging.getLogger(__name__)

NUM_SAMPLES = 8
"""Number of samples on which an export is compared with the network."""
_PACKAGES = ("branched-nas", "torch", "safetensors", "onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True, repr=False)
class Exported(Displayed):
    """The path of an exported network, its description, and the int8 model beside it, if one was wanted."""

    path: Path
    description: Description
    int8: "Exported | None" = None

    @property
    def pictured(self) -> BranchTree:
        return self.description.branch_tree

    def summary(self) -> str:
        return f"{self.path}: tree {self.description.branch_tree.id}, {', '.join(self.description.names)}"

    def records(self) -> list[dict[str, Any]]:
        """A line for each task, with its loss and metrics if they are known."""
        measured = self.description.measured
        known = {} if measured is None else measured.metrics
        return [{"task": name, **known.get(name, {})} for name in self.description.names]

    def to_dict(self) -> dict[str, Any]:
        beside = {} if self.int8 is None else {"int8": self.int8.to_dict()}
        return {"path": str(self.path), **self.description.model_dump(), **beside}


def export(
    run: str | Path,
    *,
    format: str,
    tree: str | Path | None = None,
    tasks: Sequence[str] | None = None,
    out: str | Path | None = None,
    checkpoint: str | Path | None = None,
    preprocess: bool = False,
    postprocess: bool = False,
    int8: bool = False,
    calibration: int | None = None,
    changes: Mapping[str, Any] | None = None,
    recipe: Recipe | None = None,
    allow_changed: bool = False,
) -> Exported:
    """Export a retrained network of a run, and compare what was written with it on samples of the test split.

    An export gets its name when it is complete and verified. An export that is killed leaves hidden files, which the
    next one removes.

    Args:
        run: the run folder.
        format: a name of `nas.deploy.FORMATS`: "bundle" (a folder; weights, tree, card), "onnx" or "pt2".
        tree: id, file or name (`nas.run.named_tree`); by default the only retrained tree, or else the best tree of the
            front.
        tasks: export only the sub-tree that these tasks need, in this order; by default all tasks of the tree.
        out: the file, or a new or empty folder for a bundle; by default in the run's ``exports/``.
        checkpoint: a checkpoint of a training; by default the best epoch of the tree's training.
        preprocess: the graph takes pixels as bytes and scales them by the data source's ``pixel_scale``. Not for
            bundles.
        postprocess: the graph returns predictions (`nas.deploy.answers`) instead of logits. Not for bundles.
        int8: also write an int8 model beside the .onnx, ``model.int8.onnx`` beside ``model.onnx``, and measure the
            metrics on the test split and the latency of both (`nas.deploy.quantization`). Only for onnx, and not with
            ``postprocess``, from whose predictions no loss can be computed.
        calibration: number of training samples that calibrate the int8 model, by default 128, or all if there are
            fewer.

    Raises:
        InputError: nothing trained, no such task, or the network cannot be exported in this format.
        WorkFailed: the outputs of the export differ from those of the network; the export is removed.
    """
    chosen = find_format(format)
    _check_options(chosen, {"preprocess": preprocess, "postprocess": postprocess, "int8": int8})
    num_calibration = _check_int8(int8, postprocess, calibration)
    opened = open_run(run, recipe=recipe, changes=changes, allow_changed=allow_changed)
    with opened.folder.locked():
        exported = _export(opened, chosen, tree, tasks, out, checkpoint, preprocess, postprocess, int8=int8)
        return _add_int8(opened, exported, num_calibration) if int8 else exported


def _check_options(format: ExportFormat, wanted: Mapping[str, bool]) -> None:
    refused = [option for option, asked in wanted.items() if asked and option not in format.options]
    if not refused:
        return
    flags = " and ".join(f"`{option}`" for option in refused)
    others = " or ".join(each.name for each in FORMATS.values() if each.options.issuperset(refused))
    raise InputError(f"format {format.name} does not support {flags}; leave it out, or export {others}")


def _check_int8(int8: bool, postprocess: bool, calibration: int | None) -> int:
    """The number of samples that calibrate; InputError if the options contradict each other."""
    if calibration is not None and not int8:
        raise InputError("`calibration` is how many samples calibrate an int8 model; add `int8=True`, or leave it out")
    if int8 and postprocess:
        raise InputError(
            "`int8` measures the metrics of the exported model, and those of predictions cannot be measured; leave "
            "`postprocess` out"
        )
    if calibration is not None and calibration < 1:
        raise InputError(f"`calibration` must be at least 1; found {calibration}")
    return NUM_CALIBRATION if calibration is None else calibration


def _add_int8(opened: OpenRun, exported: Exported, calibration: int) -> Exported:
    path = int8_path(exported.path)
    record = _record(opened, path)
    # As for every export, a file without its record is one whose export was killed.
    record.unlink(missing_ok=True)
    described = write_int8(opened, exported.path, calibration)
    write_json_atomically(record, described.model_dump(mode="json"))
    warn_of_macs(described, opened.measure(opened.experiment))
    return replace(exported, int8=Exported(path, described))


def _export(
    opened: OpenRun,
    format: ExportFormat,
    tree: str | Path | None,
    tasks: Sequence[str] | None,
    out: str | Path | None,
    checkpoint: str | Path | None,
    preprocess: bool,
    postprocess: bool,
    *,
    int8: bool,
) -> Exported:
    trained = best_checkpoint(opened, tree) if checkpoint is None else Path(checkpoint)
    network, kept = _network(opened, trained, tree if checkpoint is not None else None, tasks)
    path = _destination(opened, out, format, network.tree.id, tasks)
    if int8 and int8_path(path).is_dir():
        raise InputError(f"{int8_path(path)}: is a folder, and the int8 model is written there; remove or rename it")
    samples = draw_samples(opened.experiment, NUM_SAMPLES)
    if samples.origin.startswith("random"):
        _LOGGER.warning("the export is compared with the network on %s", samples.origin)
    if preprocess and samples.pixels is None:
        raise InputError(
            f"`preprocess`: data {opened.experiment.data.name} do not say how pixels become inputs; "
            "give the data source a pixel_scale (nas.data.PixelScale)"
        )
    measured = opened.measure(opened.experiment)
    table = measured.table
    described = _describe(
        network,
        kept,
        opened.experiment.task_names,
        samples,
        format.name,
        table,
        trained if checkpoint is None else None,
    )
    record = _record(opened, path)
    make_folder(record.parent)
    described = format.write(
        Export(
            network=network,
            make_backbone=lambda: build_backbone(opened.experiment),
            description=described,
            samples=samples,
            preprocess=preprocess,
            postprocess=postprocess,
            draw=lambda drawn, picture: _draw(drawn, table, picture),
            # An export without its record was killed before the end (`_was_left`).
            on_verified=lambda: record.unlink(missing_ok=True),
        ),
        path,
    )
    write_json_atomically(record, described.model_dump(mode="json"))
    warn_of_macs(described, measured)
    return Exported(path, described)


def _network(
    opened: OpenRun, checkpoint: Path, named: str | Path | None, tasks: Sequence[str] | None
) -> tuple[BranchedNetwork, list[Task]]:
    """The trained network, on the CPU, of all its tasks or those named; and these tasks in the order of its outputs."""
    if not checkpoint.is_file():
        raise InputError(f"{checkpoint}: no such checkpoint")
    beside = checkpoint.parent.parent / "tree.json"
    if named is None and not beside.is_file():
        raise InputError(
            f"{checkpoint}: the folder above has no tree.json to say which tree it was trained for; name it with "
            "`tree=TREE`"
        )
    tree = read_tree(beside) if named is None else find_tree(opened, named)
    network = build_network(opened.experiment, tree, opened.experiment.seed)
    load_network(network, load_tensors(checkpoint), str(checkpoint))
    by_name = {task.name: task for task in opened.experiment.tasks}
    if unknown := [name for name in tasks or () if name not in tree.tasks]:
        raise InputError(f"`tasks`: {no_such('task', unknown[0], tree.tasks)} (tree {tree.id})")
    kept = [by_name[name] for name in (tree.tasks if tasks is None else tasks)]
    return (network if tasks is None else sub_network(network, kept)).eval(), kept


def _destination(
    opened: OpenRun, out: str | Path | None, format: ExportFormat, tree_id: str, tasks: Sequence[str] | None
) -> Path:
    if out is None:
        name = "-".join([tree_id, *(tasks or ())])
        path = opened.folder.path / "exports" / f"{name}{format.suffix or f'.{format.name}'}"
    else:
        path = Path(out)
    if format.suffix:
        if path.suffix != format.suffix:
            raise InputError(f"`out={path}`: a file in format {format.name} is called *{format.suffix}")
        if path.is_dir():
            raise InputError(f"`out={path}`: is a folder; name a file")
    elif path.exists() and not (path.is_dir() and (not any(path.iterdir()) or _was_left(opened, path))):
        raise InputError(f"{path}: is there already; name a new or empty folder with `out=FOLDER`")
    return path


def _record(opened: OpenRun, path: Path) -> Path:
    """The file in which the run keeps the description of an export; it is written last."""
    return opened.folder.path / "exports" / f"{path.name}.json"


def _was_left(opened: OpenRun, path: Path) -> bool:
    """Whether the path is a complete bundle whose export was killed before the run's record of it was written."""
    return not _record(opened, path).exists() and is_bundle(path)


@torch.no_grad()
def _describe(
    network: BranchedNetwork,
    tasks: Sequence[Task],
    names: Sequence[str],
    samples: Samples,
    format: str,
    table: CostTable,
    best: Path | None,
) -> Description:
    outputs = network(samples.inputs[:1])
    measured = None
    if best is not None:
        # The metrics are those of the best epoch, and a checkpoint that the user names may be of another one.
        test = TrainedNetwork.read(best.parent.parent / "result.json").test
        measured = Measurement(split="test", metrics={task.name: test[task.name] for task in tasks})
    return Description(
        format=format,
        tasks=tuple(TaskRecord.of(task, tuple(outputs[task.name].shape[1:]), names.index(task.name)) for task in tasks),
        tree=network.tree.with_cost(table).to_dict(),
        input=InputRecord(
            shape=tuple(samples.inputs.shape[1:]),
            pixels=samples.pixels,
            range=(samples.inputs.min().item(), samples.inputs.max().item()),
        ),
        cost=table.tree_cost(network.tree),
        measured=measured,
        versions={"python": platform.python_version(), **{name: installed_version(name) for name in _PACKAGES}},
    )


def _draw(described: Description, table: CostTable, path: Path) -> bool:
    """Draw the tree; without matplotlib, log a warning and return False."""
    from nas.report import save_tree

    try:
        save_tree(described.branch_tree, path, table)
    except ImportError:
        _LOGGER.warning("no picture drawn: matplotlib is not installed (pip install 'branched-nas[plot]')")
        return False
    return True
