"""Whether the copies of a task have learned: their validation loss against that of answers to other samples."""

import math
from collections.abc import Iterator

import torch

from nas.data import Batch, batches, derive_seed
from nas.networks.supernet import Supernet
from nas.strategies.similarity.copies import copies_of, routing_of
from nas.strategies.similarity.copy_training import CopyTraining
from nas.tasks import SplitLoss


@torch.no_grad()
def learned_shares(training: CopyTraining, copies: Supernet) -> dict[str, float]:
    """The share of a task's validation loss that its copies explain, by task: the least of its copies.

        share = 1 - loss(outputs, labels) / loss(outputs, labels of other samples)

    A network whose outputs do not depend on its input, such as the best constant or the mean of all labels, has the
    share 0 for any loss, and a perfect one 1. Unlike the loss of the best constant, the second loss needs no fit, and
    is fair to copies that learned but are too sure of themselves, as copies are on little data.

    The samples are shuffled, and each batch's labels move on by one labelled sample. A task without two labelled
    samples in a batch, or whose second loss is 0 (all its labels are alike), is left out.
    """
    tasks, seed = training.tasks, derive_seed(training.seed, "learned")
    names = {task.name: copies_of(task.name, training.settings.copies) for task in tasks}
    losses = {name: (SplitLoss(task), SplitLoss(task)) for task in tasks for name in names[task.name]}
    seen: set[str] = set()
    was_training = copies.training
    copies.eval()
    with torch.random.fork_rng(devices=[training.device] if training.device.type == "cuda" else []):
        torch.manual_seed(seed)
        for batch in _validation(training, seed):
            outputs = copies(batch.inputs, routing_of(copies), copies.task_names)
            for task in tasks:
                labels = batch.labels.get(task.name)
                if labels is None or len(labels) < 2:
                    continue
                seen.add(task.name)
                for name in names[task.name]:
                    rows = outputs[name][batch.present[task.name]]
                    own, other = losses[name]
                    own.update(rows, labels)
                    other.update(rows, labels.roll(1, 0))
    copies.train(was_training)
    shares = {name: [_share(*losses[copy]) for copy in names[name]] for name in names if name in seen}
    return {name: min(values) for name, values in shares.items() if all(map(math.isfinite, values))}


def _validation(training: CopyTraining, seed: int) -> Iterator[Batch]:
    loader = batches(
        training.data.split("validation"),
        training.settings.batch_size,
        seed=seed,
        epoch=0,
        shuffle=True,
        drop_last=False,
        num_workers=training.num_workers,
    )
    return (batch.to(training.device) for batch in loader)


def _share(own: SplitLoss, other: SplitLoss) -> float:
    chance = other.compute()
    return 1.0 - own.compute() / chance if chance > 0.0 else math.nan
