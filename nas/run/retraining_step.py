"""Try one step of retraining before a search, so that a failure shows early."""

import logging

import torch
from torch import Tensor

from nas.data import batches
from nas.networks.branched import BranchedNetwork
from nas.recipe import Experiment
from nas.run.parts import TrialParts, build_network
from nas.training import TrainingState
from nas.training.evaluate import run_network
from nas.training.step import train_step
from nas.tree import BranchTree

_LOGGER = logging.getLogger(__name__)

_ROUNDING = 1e-2
"""How much a sample's output may depend on the rest of its batch, as a share of the largest output."""


def try_retraining(experiment: Experiment, parts: TrialParts, device: torch.device) -> None:
    """Train the fully shared tree's network on one batch with the experiment's ``retrain`` settings; nothing is kept.

    A search may work although retraining fails, because it uses other settings and another network. A warning is
    logged if a sample's outputs depend on the other samples of its batch.

    Raises:
        InputError: the backbone, the data or a setting prevents the training.
    """
    tree = BranchTree.shared(experiment.task_names, parts.backbone.num_blocks)
    settings = experiment.retrain.for_tasks(len(tree.tasks))
    network = build_network(experiment, tree, experiment.seed).to(device)
    dataset = parts.data.split(settings.splits[0])
    loader = batches(dataset, settings.batch_size, seed=experiment.seed, epoch=0, shuffle=True)
    batch = next(iter(loader)).to(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        _warn_of_mixed_samples(network, batch.inputs)
        state = TrainingState.start(network.train(), settings)
        train_step(state, experiment.tasks, [batch], settings, 1.0)


@torch.no_grad()
def _warn_of_mixed_samples(network: BranchedNetwork, inputs: Tensor) -> None:
    """Warn if a sample has other outputs in a batch than alone, in evaluation mode, by more than rounding explains."""
    network.eval()
    together, alone = run_network(network, inputs[:2]), run_network(network, inputs[:1])
    mixed = [
        name
        for name, output in alone.items()
        if (together[name][:1] - output).abs().max() > _ROUNDING * (1e-6 + output.abs().max())
    ]
    if mixed:
        _LOGGER.warning(
            "the outputs of %s for one sample depend on the other samples of its batch, also in evaluation: does a "
            "module treat the batch as another dimension (nn.GRU and nn.TransformerEncoderLayer without "
            "batch_first=True), or a BatchNorm keep no running statistics?",
            ", ".join(mixed),
        )
