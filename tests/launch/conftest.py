"""One Ray on this machine for all tests that need one, as a search starts it."""

import pytest


@pytest.fixture(scope="session")
def local_ray(tmp_path_factory):
    pytest.importorskip("ray")
    from nas.launch.session import ray_session

    with ray_session(None, tmp_path_factory.mktemp("ray")):
        yield
