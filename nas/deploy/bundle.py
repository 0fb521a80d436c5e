"""The bundle: a trained network as a folder that a person can read and a program can load in one call.

    README.md            the model card
    tree.png             the tree's picture, where matplotlib is installed
    tree.json            the tree, as everywhere
    bundle.json          the description, the backbone as {type, args}, the digest of the weights
    weights.safetensors  the weights, under the names they have in the network

It is a folder and not an archive, so that weights can be mapped into memory, code hosts show the card, and a malicious
bundle has neither paths nor compression to exploit. The loader opens the files with these names and no other.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import safetensors
import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from nas.deploy.backbone_record import BackboneRecord
from nas.deploy.comparison import other_sizes
from nas.deploy.description import Description
from nas.errors import InputError, as_input_errors
from nas.files import make_folder, read_record, write_bytes_atomically, write_json_atomically, write_text_atomically
from nas.networks.backbone import Backbone
from nas.networks.branched import BranchedNetwork
from nas.tasks import Task
from nas.tree import BranchTree, read_tree, write_tree

CARD, PICTURE, TREE, RECORD, WEIGHTS = "README.md", "tree.png", "tree.json", "bundle.json", "weights.safetensors"
_TREE_ID = "tree"


class BundleRecord(BaseModel):
    """``bundle.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    schema_version: Literal[1] = 1
    description: Description
    backbone: BackboneRecord
    weights_sha256: str


@dataclass(frozen=True)
class Bundle:
    """A network from a bundle, in evaluation mode, with its description, tasks and tree."""

    description: Description
    tasks: tuple[Task, ...]
    tree: BranchTree
    network: BranchedNetwork

    @torch.inference_mode()
    def __call__(self, inputs: Tensor) -> dict[str, Tensor]:
        """Outputs by task of a batch of inputs, on the device that the network is on."""
        outputs: dict[str, Tensor] = self.network(inputs, self.description.names)
        return outputs


def takes_other_sizes(network: BranchedNetwork, inputs: Tensor) -> bool:
    """Whether a network of pictures also runs at other heights and widths than those of these inputs."""
    if inputs.ndim != 4:
        return False
    try:
        with torch.no_grad():
            return all(len(network(batch)) > 0 for batch in other_sizes(inputs))
    except Exception:  # whatever a layer raises whose size was fixed
        return False


def write_bundle(
    folder: Path, network: BranchedNetwork, backbone: Backbone, description: Description, card: str
) -> None:
    """Write a bundle, except for its picture, into a folder; ``bundle.json`` comes last.

    Raises:
        InputError: the folder cannot be made or written to.
    """
    make_folder(folder)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    data = safetensors.torch.save(tensors, metadata={_TREE_ID: network.tree.id})
    write_text_atomically(folder / CARD, card)
    write_tree(description.branch_tree, folder / TREE)
    write_bytes_atomically(folder / WEIGHTS, data)
    record = BundleRecord(
        description=description,
        backbone=BackboneRecord.of(backbone),
        weights_sha256=hashlib.sha256(data).hexdigest(),
    )
    write_json_atomically(folder / RECORD, record.model_dump())


def describe_bundle(folder: Path, description: Description) -> None:
    """Replace the description in a bundle, for instance by one that says how it was verified."""
    record = read_bundle_record(folder).model_copy(update={"description": description})
    write_json_atomically(folder / RECORD, record.model_dump())


def is_bundle(folder: Path) -> bool:
    """Whether a folder has the record of a bundle; its other files are not checked."""
    return (folder / RECORD).is_file()


def load_bundle(path: str | Path, *, backbone: Backbone | None = None) -> Bundle:
    """The network in a bundle. Nothing is unpickled, and no name in it is imported.

    Args:
        path: the folder.
        backbone: your own backbone, which a bundle cannot contain. One of `search_spaces` is made from the record.

    Raises:
        InputError: it is not a bundle, is damaged, or its parts do not belong together. No weight is allocated before.
    """
    folder = Path(path)
    record = read_bundle_record(folder)
    description = record.description
    if description.format != "bundle" or description.answers or description.input.takes_pixels:
        raise InputError(f"{folder / RECORD}: describes an exported graph, not a bundle")
    tree = read_tree(_file(folder, TREE))
    if tree != description.branch_tree or tree.tasks != description.branch_tree.tasks:
        raise InputError(f"{folder}: {TREE} is not the tree that {RECORD} describes")
    tasks = tuple(task.task() for task in description.tasks)
    weights = _file(folder, WEIGHTS)
    with open(weights, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != record.weights_sha256:
        raise InputError(f"{weights}: is not what {RECORD} says it is; it was damaged or replaced")
    with as_input_errors(f"{folder}"):
        if backbone is None:
            try:
                made = record.backbone.build()
            except InputError as error:
                raise InputError(f"{folder}: {error}") from None
            # On the meta device nothing is allocated, whatever sizes the file states.
            with torch.device("meta"):
                network = BranchedNetwork(made, tasks, tree)
        else:
            with torch.random.fork_rng(devices=()):
                network = BranchedNetwork(backbone, tasks, tree)
    _load_weights(network, weights, tree)
    return Bundle(description, tasks, tree, network.eval().requires_grad_(False))


def read_bundle_record(folder: Path) -> BundleRecord:
    """``bundle.json`` of a folder."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such bundle; a bundle is a folder with {RECORD}")
    return read_record(_file(folder, RECORD), BundleRecord, "the record of a bundle")


def _file(folder: Path, name: str) -> Path:
    path = folder / name
    if path.is_symlink():
        raise InputError(f"{path}: refused, it is a link, and a bundle's files are in its folder")
    if not path.is_file():
        raise InputError(f"{folder}: not a bundle, it has no {name}")
    return path


def _load_weights(network: BranchedNetwork, path: Path, tree: BranchTree) -> None:
    """Load the weights into a network; names and shapes are compared before a tensor is read."""
    expected = network.state_dict()
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get(_TREE_ID) != tree.id:
                raise InputError(f"{path}: weights of tree {str(metadata.get(_TREE_ID))[:20]}, not of {tree.id}")
            _check_names(list(expected), list(file.keys()), path)
            for name, tensor in expected.items():
                shape = tuple(file.get_slice(name).get_shape())
                if shape != tuple(tensor.shape):
                    raise InputError(f"{path}: {name} has shape {list(shape)}, the network's {list(tensor.shape)}")
            tensors = {name: file.get_tensor(name) for name in expected}
    except safetensors.SafetensorError as error:
        raise InputError(f"{path}: not a readable safetensors file ({error})") from error
    for name, tensor in tensors.items():
        if tensor.dtype != expected[name].dtype:
            raise InputError(f"{path}: {name} is of {tensor.dtype}, the network's of {expected[name].dtype}")
    network.load_state_dict(tensors, assign=True)
    assert not any(tensor.is_meta for tensor in (*network.parameters(), *network.buffers()))


def _check_names(expected: Sequence[str], found: Sequence[str], path: Path) -> None:
    missing, unknown = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or unknown:
        what = f"it lacks {missing[0]}" if missing else f"it has {unknown[0][:100]}, which the network has no place for"
        raise InputError(f"{path}: not the weights of the tree's network: {what}")
