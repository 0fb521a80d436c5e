"""Fixtures of all tests: the folder for notes of runs that were begun here, and the epochs that are trained."""

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory):
    """Notes of begun runs go into a folder of the tests, not into the user's."""
    folder = tmp_path_factory.mktemp("state")
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(folder)
    yield folder
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before


@pytest.fixture
def epochs(monkeypatch):
    """The trees and numbers of all epochs that are trained."""
    # Imported here, since many tests need no torch.
    from nas.training import Retraining

    trained, train = [], Retraining.train_epoch

    def spy(self, state, epoch):
        trained.append((state.network.tree.id, epoch))
        return train(self, state, epoch)

    monkeypatch.setattr(Retraining, "train_epoch", spy)
    return trained
