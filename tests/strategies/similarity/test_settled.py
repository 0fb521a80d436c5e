"""When the training of own copies may stop, from its history alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.strategies.diagnosis import LEARNED
from nas.strategies.similarity.settled import judge_settled, same_for, settled


def epochs(trees, share=0.5):
    return [{"trees": [tree], "learned": {"a": 0.9, "b": share}} for tree in trees]


@given(st.text("xy", min_size=1, max_size=12), st.integers(2, 6))
def test_the_last_epochs_have_the_same_trees(trees, patience):
    same = same_for(epochs(trees))
    assert set(trees[-same:]) == {trees[-1]}
    assert same == len(trees) or trees[-same - 1] != trees[-1]
    assert settled(epochs(trees), patience) == (same >= patience)


def test_nothing_is_settled_before_the_first_epoch_or_before_every_task_has_learned():
    assert not settled([], 2)
    assert settled(epochs("xx"), 2)
    assert not settled(epochs("xx", share=LEARNED - 1e-6), 2)
    # Chance in an earlier epoch does not count.
    assert settled([*epochs("x", share=0.0), *epochs("x")], 2)


@pytest.mark.parametrize(
    ("trees", "concern", "text"),
    [
        ("xyyy", False, "settled: the trees were the same for the last 3 epochs; trained for 4 of 9 epochs"),
        (
            "xyxyy",
            True,
            "not settled: after 5 epochs the trees were the same for the last 2, and strategy.patience is 3",
        ),
    ],
)
def test_the_verdict_says_how_many_epochs_it_took(trees, concern, text):
    verdict = judge_settled(epochs(trees), 3, 9)
    assert verdict.concern == concern
    assert verdict.text.startswith(text)
