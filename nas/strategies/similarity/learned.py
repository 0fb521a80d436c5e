"""Whether networks have learned: their validation loss against that of answers to other samples."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from nas.data import Batch, batches, derive_seed
from nas.networks.supernet import Supernet
from nas.strategies.similarity.copies import copies_of, routing_of
from nas.strategies.similarity.copy_training import CopyTraining
from nas.tasks import SplitLoss, Task


def learned_shares(training: CopyTraining, copies: Supernet) -> dict[str, float]:
    """`explained_shares` of the copies on the validation split, by task: the least of its copies."""
    seed = derive_seed(training.seed, "learned")
    was_training = copies.training
    copies.eval()
    with torch.random.fork_rng(devices=[training.device] if training.device.type == "cuda" else []):
        torch.manual_seed(seed)
        shares = explained_shares(
            lambda inputs: copies(inputs, routing_of(copies), copies.task_names),
            training.tasks,
            _validation(training, seed),
            {task.name: copies_of(task.name, training.settings.copies) for task in training.tasks},
        )
    copies.train(was_training)
    return shares


@torch.no_grad()
def explained_shares(
    run: Callable[[Tensor], Mapping[str, Tensor]],
    tasks: Sequence[Task],
    loader: Iterable[Batch],
    names: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, float]:
    """The share of a task's loss that a network in evaluation mode explains, by task.

        share = 1 - loss(outputs, labels) / loss(outputs, labels of other samples)

    A network whose outputs do not depend on its input, such as the best constant or the mean of all labels, has the
    share 0 for any loss, and a perfect one 1. Unlike the loss of the best constant, the second loss needs no fit, and
    is fair to networks that learned but are too sure of themselves, as copies are on little data.

    Each batch's labels move on by one labelled sample, so the samples should be shuffled. A task without two labelled
    samples in a batch, or whose second loss is 0 (all its labels are alike), is left out.

    Args:
        run: from inputs to outputs by name.
        names: by task, the names of its outputs, the least of whose shares counts; by default the task's own name.
    """
    names = {task.name: (task.name,) for task in tasks} if names is None else names
    losses = {name: (SplitLoss(task), SplitLoss(task)) for task in tasks for name in names[task.name]}
    seen: set[str] = set()
    for batch in loader:
        outputs = run(batch.inputs)
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
    shares = {name: [_share(*losses[output]) for output in names[name]] for name in names if name in seen}
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
