from dataclasses import dataclass

import pytest
import torch

from nas.engine import Ranks
from nas.engine.checkpoint import CheckpointFolder
from nas.engine.loop import LoopState, explaining_checkpoint, resume, run_epochs, seeded
from nas.errors import InputError


@dataclass
class Counter(LoopState[dict[str, float]]):
    """A training that adds the number of each epoch."""

    total: int

    def record(self):
        return {"total": self.total, **self.progress()}

    def load(self, record, where):
        with explaining_checkpoint("this counter", where):
            self.total = int(record["total"])
            self.load_progress(record)


SCORES = [3.0, 2.0, 2.0, None, 1.0, 4.0, 5.0]


def train_epoch(state, epoch):
    state.total += epoch
    return {"epoch": epoch, "total": state.total}


def count(state, folder, num_epochs=7, on_epoch=lambda record: None, **options):
    score = lambda record: SCORES[record["epoch"]]  # noqa: E731
    run_epochs(state, num_epochs, train_epoch, CheckpointFolder(folder), on_epoch, score=score, **options)
    return state


def test_every_epoch_is_recorded_saved_and_told(tmp_path):
    seen = []

    def on_epoch(record):
        assert CheckpointFolder(tmp_path).epochs()[0] == record["epoch"] + 1
        seen.append(record)

    state = count(Counter(0), tmp_path, on_epoch=on_epoch)
    assert seen == state.history == [{"epoch": i, "total": i * (i + 1) // 2} for i in range(7)]
    # The first of equal scores is the best, and an epoch without a score is not.
    assert (state.num_epochs, state.best_epoch, state.best_loss) == (7, 5, 1.0)
    assert CheckpointFolder(tmp_path).epochs() == [7, 6, 5]


@pytest.mark.parametrize(("patience", "num_epochs"), [(None, 7), (1, 3), (2, 4), (3, 7)])
def test_a_training_stops_after_so_many_epochs_without_a_better_one_and_stays_stopped(tmp_path, patience, num_epochs):
    assert count(Counter(0), tmp_path, patience=patience).num_epochs == num_epochs
    resumed = Counter(0)
    assert resume(resumed, CheckpointFolder(tmp_path))
    assert count(resumed, tmp_path, patience=patience).num_epochs == num_epochs


@pytest.mark.parametrize("stopped_after", range(8))
def test_a_resumed_training_ends_as_an_undisturbed_one(tmp_path, stopped_after):
    whole = count(Counter(0), tmp_path / "whole")
    count(Counter(0), tmp_path / "parts", num_epochs=stopped_after)
    resumed = Counter(0)
    assert resume(resumed, CheckpointFolder(tmp_path / "parts")) == (stopped_after > 0)
    assert resumed.num_epochs == stopped_after
    assert count(resumed, tmp_path / "parts") == whole


def test_only_rank_0_writes(tmp_path):
    state = count(Counter(0), tmp_path, ranks=Ranks(rank=1, size=2))
    assert (state.num_epochs, state.best_epoch) == (7, 5)
    assert CheckpointFolder(tmp_path).epochs() == []


@pytest.mark.parametrize(
    ("field", "broken"),
    [
        *((field, None) for field in ("num_epochs", "best_loss", "history")),
        *((field, "x") for field in ("num_epochs", "best_epoch", "best_loss", "history")),
        ("num_epochs", float("inf")),
        ("best_epoch", 1.5),
        ("history", [1]),
        ("history", [{"loss": torch.zeros(1)}]),
    ],
)
def test_a_broken_record_is_refused_with_its_place(field, broken):
    record = {"num_epochs": 1, **Counter(0, best_epoch=1, best_loss=0.5, history=[{"epoch": 0.0}]).record()}
    Counter(0).load(record, "here")
    with pytest.raises(InputError, match=r"^here: not a checkpoint of this counter"):
        Counter(0).load(record | {field: broken}, "here")
    del record[field]
    with pytest.raises(InputError, match=f"^here: not a checkpoint of this counter.*{field}"):
        Counter(0).load(record, "here")


def test_a_seed_holds_inside_and_nothing_changes_outside():
    before = torch.get_rng_state()
    drawn = []
    for _ in range(2):
        with seeded(5, torch.device("cpu")):
            drawn.append(torch.rand(3))
    assert torch.equal(*drawn)
    assert torch.equal(torch.get_rng_state(), before)
