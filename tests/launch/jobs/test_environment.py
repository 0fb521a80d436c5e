"""Whether pip installs packages for a job, and which."""

import pytest
from small_digits import RECIPE

from nas.cli.main import run
from nas.launch.jobs import environment
from nas.launch.jobs.probe import missing
from nas.launch.jobs.submit import submit


@pytest.mark.parametrize(("lacking", "installs"), [([], False), (["no torchmetrics"], True)])
def test_the_environment_is_chosen_by_what_the_cluster_has(cluster, lacking, installs):
    cluster.probed = {"python": "3.12.1", "missing": lacking}
    submit(RECIPE, address="head:8265", storage="/store", name="mine")
    (sent,) = cluster.jobs.values()  # the job that asked is forgotten
    assert ("pip" in sent.runtime_env) is installs
    if installs:
        packages = sent.runtime_env["pip"]["packages"]
        assert "--constraint ${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}/tools/constraints.txt" in packages
        assert "tools/constraints.txt" in sent.files
        assert any(text.startswith("torch") for text in packages)
        assert any(text.startswith("optuna") for text in packages)
        assert not any(text.startswith(("ray", "pytest", "nni")) for text in packages)


def test_a_cluster_of_another_python_is_refused(cluster, capsys):
    cluster.probed = {"python": "3.9.2", "missing": []}
    assert run(["submit", RECIPE, "--address", "head:8265", "--storage", "/store"]) == 2
    assert "runs Python 3.9.2, and the project needs 3.11 or later" in capsys.readouterr().err


def test_this_machine_has_all_that_a_search_needs():
    assert missing(environment.requirements()) == []
