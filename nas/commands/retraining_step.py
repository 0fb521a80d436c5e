"""One step of retraining, tried before a search whose trees will be retrained."""

import logging

import torch
from torch import Tensor

from nas.data import batches
from nas.networks.branched import BranchedNetwork
from nas.recipe import Experiment
from nas.run import TrialParts, build_network
from nas.training import TrainingState
from nas.training.evaluate import run_network
from nas.training.step import train_step
from nas.tree import BranchTree

_LOGGER = logging.getLogger(__name__)

_ROUNDING = 1e-2
"""Share of the largest output by which a sample's may differ with the batch that it is in."""


def try_retraining(experiment: Experiment, parts: TrialParts, device: torch.device) -> None:
    """Train the fully shared tree's network on one batch, as the experiment's ``retrain`` says; nothing is kept.

    A search can run a network that cannot be retrained: its settings, and how its network computes, are others. A
    warning says if the samples of a batch are mixed.

    Raises:
        InputError: the backbone, the data or a setting keeps the network from being trained.
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
    """A sample's outputs in evaluation mode must be those that it has alone; rounding makes far smaller differences."""
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
            "module take the batch for another dimension (nn.GRU and nn.TransformerEncoderLayer without "
            "batch_first=True), or a BatchNorm keep no running statistics?",
            ", ".join(mixed),
        )
