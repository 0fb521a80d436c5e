"""Whether the networks of a search have learned; features and gradients of networks that have not say nothing."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from nas.data import derive_seed
from nas.strategies.affinity.training_data import batches_of
from nas.strategies.diagnosis import judge_learning
from nas.strategies.protocol import Found, Problem
from nas.strategies.similarity.learned import explained_shares


def judged(
    found: Found, problem: Problem, network: nn.Module, run: Callable[[Tensor], Mapping[str, Tensor]], batch_size: int
) -> Found:
    """The trees with a verdict on what the networks explain of the validation split; withheld if it is nothing.

    Args:
        network: is in evaluation mode meanwhile.
        run: from inputs to outputs by task.
    """
    seed, dataset = derive_seed(problem.seed, "learned"), problem.data.split("validation")
    was_training = network.training
    network.eval()
    with torch.random.fork_rng(devices=[problem.device] if problem.device.type == "cuda" else []):
        torch.manual_seed(seed)
        loader = batches_of(problem, dataset, batch_size, seed=seed, epoch=0, drop_last=False)
        learning = judge_learning(explained_shares(run, problem.tasks, loader), "the trained network explains")
    network.train(was_training)
    assert found.diagnosis is not None
    # Trees of networks that have learned nothing need no further comment.
    verdicts = (learning, *(() if learning.concern else found.diagnosis.verdicts))
    return replace(
        found,
        diagnosis=found.diagnosis.model_copy(update={"verdicts": verdicts}),
        withheld=learning.text if learning.concern else None,
    )
