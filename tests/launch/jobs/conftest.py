"""A cluster without Ray."""

from types import SimpleNamespace

import pytest
from launch.jobs.ray_client import RayClient

from nas.launch.jobs import client


@pytest.fixture
def cluster(monkeypatch):
    """A cluster without Ray."""
    kind = type("Client", (RayClient,), {"jobs": {}, "probed": {"python": "3.11.9", "missing": []}})
    monkeypatch.setattr(client.Cluster, "_check_server", lambda self, headers: None)
    monkeypatch.setattr(client, "_ray_jobs", lambda: SimpleNamespace(JobSubmissionClient=kind))
    monkeypatch.setattr("nas.launch.jobs.manage._SECONDS_BETWEEN_LOOKS", 0)
    return kind
