"""The files for Ray's own launchers, as far as one machine can tell."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nas.cli.main import run

ROOT = Path(__file__).parents[2]
CLUSTERS = ROOT / "nas" / "launch" / "clusters"

yaml = pytest.importorskip("yaml")


def read(name: str) -> dict:
    return yaml.safe_load((CLUSTERS / name).read_text())


def ray_version() -> str:
    lines = (ROOT / "tools" / "constraints.txt").read_text().splitlines()
    return next(line for line in lines if line.startswith("ray==")).removeprefix("ray==")


@pytest.mark.parametrize("name", ["ray_up_own_machines.yaml", "ray_up_aws.yaml"])
def test_ray_accepts_what_ray_up_is_given(name):
    util = pytest.importorskip("ray.autoscaler._private.util")
    config = util.prepare_config(read(name))
    util.validate_config(config)
    starts = config["head_start_ray_commands"][-1], config["worker_start_ray_commands"][-1]
    assert all("RAY_AUTH_MODE=token" in start for start in starts)
    assert "--dashboard-host=127.0.0.1" in starts[0]
    for image in config["docker"].values():
        assert not str(image).startswith("rayproject/") or f":{ray_version()}-py311" in image


def test_a_misspelt_field_would_be_refused():
    util = pytest.importorskip("ray.autoscaler._private.util")
    config = read("ray_up_own_machines.yaml") | {"setup_comands": []}
    with pytest.raises(Exception, match="setup_comands"):
        util.validate_config(config)


def test_kubernetes_files_have_our_ray_and_a_token():
    cluster, job = read("kuberay_cluster.yaml"), read("kuberay_job.yaml")
    assert (cluster["kind"], job["kind"]) == ("RayCluster", "RayJob")
    for spec in (cluster["spec"], job["spec"]["rayClusterSpec"]):
        assert spec["rayVersion"] == ray_version()
        assert spec["authOptions"] == {"mode": "token"}
        for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
            (container,) = group["template"]["spec"]["containers"]
            assert container["resources"]["limits"] == container["resources"]["requests"]
    assert f"FROM rayproject/ray:{ray_version()}-py311" in (CLUSTERS / "Dockerfile").read_text().splitlines()


def test_the_search_of_the_kubernetes_job_is_one(capsys, tmp_path):
    """Its recipe is in an image, so one that is not there has to be all that is wrong."""
    words = shlex.split(read("kuberay_job.yaml")["spec"]["entrypoint"])
    assert words[:3] == ["python", "-m", "nas"]
    assert (ROOT / words[4].removeprefix("/home/ray/branched-nas/")).is_file()
    assert run([*words[3:4], str(tmp_path / "gone.py"), *words[5:]]) == 2
    assert "gone.py: no such recipe" in capsys.readouterr().err


@pytest.mark.parametrize("script", [CLUSTERS / "slurm.sh", ROOT / "tools" / "cluster"])
def test_scripts_are_bash(script):
    subprocess.run(["bash", "-n", script], check=True)


def test_slurm_script_makes_its_token_for_its_owner_alone(tmp_path):
    """Run with stand-ins for Slurm's and Ray's commands, it starts a node on each machine and then the search."""
    folder = tmp_path / "bin"
    folder.mkdir()
    said = tmp_path / "said"
    stand_ins = {
        "scontrol": "echo node0; echo node1",
        "srun": f'echo "srun $*" >>{said}; case "$*" in *hostname*) echo 10.0.0.7;; esac',
        "ray": "true",
        "nas": f'(echo "nas $*"; stat -c %a $RAY_AUTH_TOKEN_PATH; wc -c <$RAY_AUTH_TOKEN_PATH) >>{said}',
    }
    for name, body in stand_ins.items():
        (folder / name).write_text(f"#!/bin/bash\n{body}\n")
        (folder / name).chmod(0o755)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").write_text("")
    environment = {
        "PATH": f"{folder}:/usr/bin:/bin",
        "HOME": str(tmp_path / "home"),
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NODELIST": "node[0-1]",
        "SLURM_CPUS_PER_TASK": "8",
        "TMPDIR": "/tmp",
    }
    (folder / "python").symlink_to(sys.executable)
    subprocess.run(
        ["bash", CLUSTERS / "slurm.sh", "runs/digits.py", "--resume"], cwd=tmp_path, env=environment, check=True
    )
    lines = said.read_text().splitlines()
    starts = [line for line in lines if " ray start " in line]
    assert sum("--nodelist=node0" in line and "--head" in line for line in starts) == 1
    assert sum("--nodelist=node1" in line and "--address=10.0.0.7:24711" in line for line in starts) == 1
    search = next(line for line in lines if line.startswith("nas "))
    assert search == (
        "nas search runs/digits.py --address 10.0.0.7:24711 --out /tmp/4711/digits-4711 "
        f"--storage {tmp_path}/home/nas-runs --resume"
    )
    # Nobody else may read it, and it has 32 random bytes in hexadecimal.
    assert {"600", "64"} <= set(lines)
    assert not list((tmp_path / "home" / ".ray").glob("*.token"))
