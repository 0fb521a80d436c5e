"""When the training of own copies may stop: the trees stay the same, and every task has learned."""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from nas.strategies.diagnosis import Verdict, not_learned


def settled(history: Sequence[Mapping[str, Any]], patience: int) -> bool:
    """Whether the trees were the same after each of the last ``patience`` epochs, and every task has learned.

    Args:
        history: the records of all epochs (`nas.strategies.similarity.copy_training.CopyTrainingRecord`), each with
            its ``trees`` and ``learned``.
    """
    return same_for(history) >= patience and not not_learned(history[-1]["learned"])


def same_for(history: Sequence[Mapping[str, Any]]) -> int:
    """The number of last epochs with the trees of the very last one."""
    return sum(1 for _ in takewhile(lambda record: record["trees"] == history[-1]["trees"], reversed(history)))


def judge_settled(history: Sequence[Mapping[str, Any]], patience: int, num_epochs: int) -> Verdict:
    """How many of the epochs the training took, and whether it stopped because it had settled."""
    same, took = same_for(history), len(history)
    if settled(history, patience):
        text = f"settled: the trees were the same for the last {same} epochs; trained for {took} of {num_epochs} epochs"
        return Verdict(about="stability", concern=False, text=text)
    text = (
        f"not settled: after {took} epochs the trees were the same for the last {same}, and strategy.patience is "
        f"{patience}; search longer (strategy.epochs)"
    )
    return Verdict(about="stability", concern=True, text=text)
