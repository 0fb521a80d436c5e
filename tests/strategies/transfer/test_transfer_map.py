"""The transfer map: every block is in one panel, and the last one sums them up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.strategies.transfer.gains import LEVELS, PairEffects
from nas.strategies.transfer.transfer_map import MOST_RANGES, transfer_map


def effects(num_tasks, num_blocks, seed=0):
    rng = np.random.default_rng(seed)
    root_TTLL = rng.normal(size=(num_tasks, num_tasks, num_blocks, num_blocks))
    return PairEffects(
        tuple(f"task{t}" for t in range(num_tasks)),
        tuple(f"block{l}" for l in range(num_blocks)),
        rng.normal(size=(num_blocks, num_tasks, num_tasks)),
        root_TTLL @ root_TTLL.swapaxes(2, 3),
    )


def means(panel):
    return np.array([[0.0 if gain is None else gain.mean for gain in row] for row in panel.gains_TT])


@given(st.integers(1, 5), st.integers(1, 40))
def test_panels_are_ranges_of_all_blocks_and_their_sum(num_tasks, num_blocks):
    given_effects = effects(num_tasks, num_blocks)
    shown = transfer_map(given_effects)
    ranges = shown.panels[:-1] if num_blocks > 1 else shown.panels
    assert [name for panel in ranges for name in panel.blocks] == list(given_effects.blocks)
    assert len(ranges) <= MOST_RANGES
    assert num_blocks > MOST_RANGES or len(ranges) == num_blocks
    assert len({len(panel.blocks) for panel in ranges[:-1]}) <= 1
    # Sums of 40 doubles of size 1.
    np.testing.assert_allclose(sum(map(means, ranges)), means(shown.panels[-1]), atol=1e-12)


def test_a_cell_is_the_gain_of_the_rows_task_from_the_columns():
    given_effects = effects(3, 2)
    panel = transfer_map(given_effects).panels[1]
    assert panel.gains_TT[0][2].mean == given_effects.mean_LTT[1, 0, 2] / 2
    assert panel.gains_TT[0][2].std == pytest.approx(given_effects.covariance_TTLL[0, 2, 1, 1] ** 0.5 / 2)
    assert panel.gains_TT[1][1] is None


def test_panels_are_named_by_their_blocks():
    assert [panel.name for panel in transfer_map(effects(2, 9)).panels] == [
        *("block0 to block1", "block2 to block3", "block4 to block5", "block6 to block7", "block8"),
        "all blocks",
    ]
    assert [panel.name for panel in transfer_map(effects(2, 1)).panels] == ["block0"]


def test_plain_data_has_the_numbers_and_the_names():
    shown = transfer_map(effects(2, 2))
    record = shown.to_dict()
    assert record["tasks"] == ["task0", "task1"]
    assert record["panels"][0]["gains_TT"][0][1] == tuple(shown.panels[0].gains_TT[0][1])
    assert shown.levels == LEVELS
