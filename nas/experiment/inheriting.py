"""Weights that a network inherits from a run's search, whichever strategy it had."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nas.backbone import Backbone
from nas.errors import InputError, blaming
from nas.experiment.experiment import Experiment
from nas.experiment.trial import build_backbone
from nas.experiment.trial_folder import TrialFolder
from nas.files import read_json, write_json_atomically
from nas.inherit import inherit_copies, inherit_weights
from nas.network import BranchedNetwork
from nas.similarity import Dissimilarity
from nas.similarity.copies import make_copies
from nas.supernet import Supernet


def write_dissimilarity(measured: Dissimilarity, folder: Path) -> None:
    """``similarity.json`` of a trial's folder."""
    write_json_atomically(folder / "similarity.json", measured.to_dict())


def read_dissimilarity(folder: Path) -> Dissimilarity:
    """What `write_dissimilarity` wrote; InputError if it is missing or malformed."""
    path = folder / "similarity.json"
    return Dissimilarity.from_dict(read_json(path), str(path))


def inherit(network: BranchedNetwork, trial: TrialFolder, experiment: Experiment) -> None:
    """Give a network the weights of a trial of the experiment.

    Raises:
        InputError: there is nothing to inherit, or it is another experiment's.
    """
    saved = trial.checkpoints.latest()
    if saved is None:
        raise InputError(f"{trial.checkpoints.folder}: no supernet to inherit from; search first, or start fresh")
    experiment = trial.setting.experiment(experiment)
    make = _inherit_copies if experiment.strategy == "similarity" else _inherit_candidates
    with blaming(f"{trial.checkpoints.folder}: not checkpoints of this experiment's {experiment.strategy} search"):
        make(network, saved, trial, experiment, build_backbone(experiment))


def _inherit_candidates(
    network: BranchedNetwork, saved: dict[str, Any], trial: TrialFolder, experiment: Experiment, backbone: Backbone
) -> None:
    search = experiment.search
    supernet = Supernet(backbone, experiment.tasks, search.num_candidates, affine_last_norm=search.affine_last_norm)
    # The rows of the logits are in this order.
    _check_tasks(saved["tasks"], experiment.task_names, trial)
    supernet.load_state_dict(saved["supernet"])
    inherit_weights(network, supernet, saved["logits_LTC"])


def _inherit_copies(
    network: BranchedNetwork, saved: dict[str, Any], trial: TrialFolder, experiment: Experiment, backbone: Backbone
) -> None:
    copies = make_copies(backbone, experiment.tasks, experiment.similarity.copies)
    _check_tasks(saved["tasks"], copies.task_names, trial)
    copies.load_state_dict(saved["supernet"])
    measured = read_dissimilarity(trial.path)
    _check_tasks(measured.tasks, experiment.task_names, trial)
    inherit_copies(network, copies, measured)


def _check_tasks(found: Sequence[str], expected: Sequence[str], trial: TrialFolder) -> None:
    if list(found) != list(expected):
        raise InputError(f"{trial.checkpoints.folder}: has the tasks {list(found)}, not {list(expected)}")
