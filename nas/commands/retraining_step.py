"""One step of retraining, tried before a search whose trees will be retrained."""

import torch

from nas.data import batches
from nas.experiment import Experiment, TrialParts, build_network
from nas.training import TrainingState
from nas.training.step import train_step
from nas.tree import BranchTree


def try_retraining(experiment: Experiment, parts: TrialParts, device: torch.device) -> None:
    """Train the fully shared tree's network on one batch, as the experiment's ``retrain`` says; nothing is kept.

    A search can run a network that cannot be retrained: its settings, and how its network computes, are others.

    Raises:
        InputError: the backbone, the data or a setting keeps the network from being trained.
    """
    tree = BranchTree.shared(experiment.task_names, parts.backbone.num_blocks)
    settings = experiment.retrain.for_tasks(len(tree.tasks))
    network = build_network(experiment, tree, experiment.seed).to(device).train()
    state = TrainingState.start(network, settings)
    dataset = parts.data.split(settings.splits[0])
    loader = batches(
        dataset,
        settings.batch_size,
        seed=experiment.seed,
        epoch=0,
        shuffle=True,
        drop_last=len(dataset) > settings.batch_size,
    )
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        train_step(state, experiment.tasks, [next(iter(loader)).to(device)], settings, 1.0)
