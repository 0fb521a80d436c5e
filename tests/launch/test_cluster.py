"""Jobs on a real Ray cluster of two nodes: who gets in, what comes back, and what a lost node costs."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from leaves import RECIPE, write_leaves
from pages import blocks, commands
from small_digits import changes

pytest.importorskip("ray")
sys.path.append(str(Path(__file__).parent))

from test_processes import SMOOTH, assert_close, history

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "cluster"

SECONDS_FOR_A_JOB = 600
"""Of small searches on a machine that is busy with other things."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster: what a shell needs to use it, and where its runs are kept."""

    environment: dict[str, str]
    store: Path

    @property
    def address(self) -> str:
        return self.environment["NAS_CLUSTER_ADDRESS"]

    def tool(self, verb: str) -> str:
        done = subprocess.run([TOOL, verb], env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def nas(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nas", *arguments],
            cwd=ROOT,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_FOR_A_JOB,
            check=False,
        )

    def submit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.nas("submit", *arguments, "--address", self.address, "--storage", str(self.store))

    def jobs(self) -> list[dict]:
        return json.loads(self.nas("jobs", "--address", self.address, "--json").stdout)

    def job(self, name: str) -> dict:
        return next(job for job in self.jobs() if job["name"] == name)

    def fetch(self, name: str, out: Path) -> subprocess.CompletedProcess[str]:
        return self.nas("fetch", name, "--storage", str(self.store), "--out", str(out))

    def answer(self, path: str, token: str | None, method: str = "GET", body: bytes | None = None) -> int:
        """The status of a request to the dashboard."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        request = urllib.request.Request(f"{self.address}{path}", data=body, headers=headers, method=method)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {
        "NAS_CLUSTER_DIR": str(folder / "state"),
        "OMP_NUM_THREADS": "1",
        # An installation that is asked for fails at once, and is not tried again.
        "PIP_NO_INDEX": "1",
        "PIP_IGNORE_INSTALLED": "1",
        "PIP_FIND_LINKS": "",
        "RUNTIME_ENV_RETRY_TIMES": "1",
    }
    up = subprocess.run([TOOL, "up"], env=environment, capture_output=True, text=True, check=False)
    assert up.returncode == 0, up.stderr
    try:
        said = subprocess.run([TOOL, "env"], env=environment, capture_output=True, text=True, check=True).stdout
        for line in said.splitlines():
            pairs = (word.partition("=") for word in line.removeprefix("export ").split())
            environment |= {name: value.strip("'") for name, _, value in pairs}
        yield Cluster(environment, folder / "store")
    finally:
        subprocess.run([TOOL, "down"], env=environment, check=True)
    assert not (folder / "state").exists()


def test_the_page_on_clusters(cluster, tmp_path):
    """The commands of nas/howto/run_on_a_cluster.md that need one, in their order."""
    write_leaves(tmp_path / "photos")
    (tmp_path / "recipe.py").write_text(RECIPE)
    (block,) = [one for one in blocks("nas/howto/run_on_a_cluster.md") if "$ADDRESS" in one.text]
    known = {
        "$ADDRESS": cluster.address,
        "$STORAGE": str(cluster.store),
        "data.folder=$DATA": f"data.folder={tmp_path}/photos",
    }
    environment = cluster.environment | {"PYTHONPATH": str(ROOT)}
    for words in commands(block):
        command = [sys.executable, "-m", *(known.get(word, word) for word in words)]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS_FOR_A_JOB
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    assert (tmp_path / "fetched" / "front.json").is_file()


def test_nothing_listens_on_other_than_loopback(cluster):
    lines = cluster.tool("status").partition("listening on:\n")[2].splitlines()
    addresses = [line.split()[0].rpartition(":")[0].removeprefix("[::ffff:").removesuffix("]") for line in lines]
    # The control server, the dashboard, and two raylets with two ports each at least.
    assert len(addresses) >= 6
    assert set(addresses) == {"127.0.0.1"}


@pytest.mark.parametrize(("token", "status"), [(None, 401), ("wrong", 403)])
def test_without_the_token_nobody_gets_in(cluster, token, status):
    job = json.dumps({"entrypoint": "touch /tmp/nas-broken-into", "submission_id": "thief"}).encode()
    assert cluster.answer("/api/version", token) == status
    assert cluster.answer("/api/jobs/", token) == status
    assert cluster.answer("/api/jobs/", token, "POST", job) == status
    assert cluster.answer("/api/packages/gcs/_ray_pkg_ab.zip", token, "PUT", b"") == status
    assert cluster.answer("/api/jobs/thief/stop", token, "POST") == status
    right = Path(cluster.environment["RAY_AUTH_TOKEN_PATH"]).read_text()
    assert cluster.answer("/api/jobs/", right) == 200
    assert cluster.answer("/api/jobs/thief", right) == 404


def test_a_driver_without_the_token_is_refused(cluster):
    program = "import ray; ray.init('127.0.0.1:%s', logging_level=50); print('in')"
    port = Path(cluster.environment["NAS_CLUSTER_DIR"], "gcs").read_text().strip().rpartition(":")[2]
    refused = subprocess.run(
        [sys.executable, "-c", program % port],
        env=cluster.environment | {"RAY_AUTH_TOKEN": "wrong"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert refused.returncode != 0
    assert "in" not in refused.stdout.split()
    assert "Authentication" in refused.stderr or "token" in refused.stderr


def test_commands_say_whose_token_is_missing_or_wrong(cluster, tmp_path):
    wrong = cluster.nas("jobs", "--address", cluster.address, RAY_AUTH_TOKEN="wrong")
    assert (wrong.returncode, "refuses the token from RAY_AUTH_TOKEN" in wrong.stderr) == (2, True)
    without = {name: value for name, value in cluster.environment.items() if name != "RAY_AUTH_TOKEN_PATH"}
    none = Cluster(without | {"HOME": str(tmp_path)}, cluster.store).nas("jobs", "--address", cluster.address)
    assert (none.returncode, "authentication required" in none.stderr) == (2, True)


def test_a_job_is_followed_to_its_end_and_its_run_fetched(cluster, tmp_path):
    done = cluster.submit("runs/digits.py", "--name", "first", "--follow", *changes())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[0] == "first"
    assert "epoch 2/2" in done.stdout
    assert cluster.fetch("first", tmp_path / "run").returncode == 0
    front = json.loads((tmp_path / "run" / "front.json").read_text())
    assert {point["budget"] for point in front["points"]} == {0.3, 0.9}
    assert (tmp_path / "run" / "trials" / "0" / "checkpoint" / "epoch-0002.pt").is_file()
    listed = [(job["name"], job["status"], job["exit_status"]) for job in cluster.jobs()]
    assert listed == [("first", "succeeded", 0)]
    again = cluster.nas("logs", "first", "--address", cluster.address)
    assert "epoch 2/2" in again.stdout


def test_a_stored_run_is_retrained_and_compared(cluster, tmp_path):
    small = changes(compare__random_trees=0)
    there = ("--environment", "installed", "--follow")
    done = cluster.submit("runs/digits.py", "--name", "kept", *there, *small)
    assert done.returncode == 0, done.stdout + done.stderr
    for verb in ("retrain", "compare"):
        done = cluster.submit(verb, "runs/digits.py", "--run", "kept", *there)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines()[0].startswith(f"kept-{verb}-")
    assert cluster.fetch("kept", tmp_path / "run").returncode == 0
    rows = (tmp_path / "run" / "compare" / "table.csv").read_text().splitlines()
    assert len(rows) > 2
    assert (tmp_path / "run" / "trials" / "0" / "checkpoint" / "epoch-0002.pt").is_file(), "what was not used is kept"
    # One training of each tree, that of the first job among them.
    trainings = [path.parent for path in (tmp_path / "run" / "retrained").glob("*/*/result.json")]
    assert len({path.parent for path in trainings}) == len(trainings) > 2
    refused = cluster.submit("retrain", "runs/digits.py", "--run", "gone", *there)
    assert refused.returncode == 2
    assert "gone: no such run folder" in refused.stderr


def test_a_recipe_whose_import_fails_there_says_so(cluster, tmp_path):
    recipe = tmp_path / "mine.py"
    recipe.write_text(
        "import os\nif 'RAY_JOB_CONFIG_JSON_ENV_VAR' in os.environ:\n    import only_at_home\n"
        f"import sys\nsys.path.append({str(ROOT / 'runs')!r})\nfrom digits import experiment\n"
    )
    (tmp_path / "setup.cfg").write_text("")
    failed = cluster.submit(str(recipe), "--environment", "installed", "--follow")
    assert failed.returncode == 2
    assert (
        "ModuleNotFoundError: No module named 'only_at_home' (it is neither below the project's root" in failed.stderr
    )


def test_a_failing_installation_says_what_pip_said(cluster):
    failed = cluster.submit("runs/digits.py", "--environment", "constraints", "--name", "pip", "--follow")
    assert failed.returncode == 1
    assert "error: job pip: its environment could not be set up: " in failed.stderr
    assert re.search("No matching distribution found|Cannot install", failed.stderr)


def test_a_job_that_is_stopped_goes_on_from_the_storage(cluster, tmp_path):
    small = changes(strategy__epochs=200)
    assert cluster.submit("runs/digits.py", "--name", "long", "--environment", "installed", *small).returncode == 0
    wait_until(cluster, "long", lambda: num_epochs(cluster.store / "long" / "trials" / "0") >= 2)
    stopped = cluster.nas("stop", "long", "--address", cluster.address)
    assert "long: stopped" in stopped.stdout
    kept = num_epochs(cluster.store / "long" / "trials" / "0")
    time.sleep(5)
    assert num_epochs(cluster.store / "long" / "trials" / "0") == kept
    resumed = cluster.submit("runs/digits.py", "--resume", "long", "--environment", "installed")
    assert resumed.returncode == 0, resumed.stderr
    name = resumed.stdout.strip()
    assert name.startswith("long-")
    wait_until(cluster, name, lambda: num_epochs(cluster.store / "long" / "trials" / "0") > kept + 1)
    assert cluster.nas("stop", name, "--address", cluster.address).returncode == 0
    assert "fetch again" in cluster.fetch("long", tmp_path / "run").stdout


def test_a_lost_node_costs_nothing_but_time(cluster, tmp_path):
    """Two trials, one on each node; when half is done a node is lost, and its trial ends as if nothing had happened."""
    num = 80
    small = changes(strategy__epochs=num, trials__seeds=2, trials__max_failures=3)
    submitted = cluster.submit("runs/digits.py", "--name", "moved", "--environment", "installed", *small)
    assert submitted.returncode == 0, submitted.stderr
    trials = cluster.store / "moved" / "trials"
    wait_until(cluster, "moved", lambda: all(num_epochs(trials / n) >= 5 for n in "01"))
    cluster.tool("kill")
    assert all(num_epochs(trials / n) < num for n in "01"), "both were done before the node was lost"
    followed = cluster.nas("logs", "moved", "--address", cluster.address, "--follow")
    cluster.tool("join")
    assert followed.returncode == 0, followed.stdout + followed.stderr
    assert cluster.fetch("moved", tmp_path / "moved").returncode == 0

    alone = {name: value for name, value in cluster.environment.items() if not name.startswith("RAY_")}
    undisturbed = Cluster(alone, cluster.store).nas(
        "search", "runs/digits.py", "--out", str(tmp_path / "undisturbed"), *small
    )
    assert undisturbed.returncode == 0, undisturbed.stderr
    for number in "01":
        assert results(tmp_path / "moved" / "trials" / number) == results(tmp_path / "undisturbed" / "trials" / number)
    fronts = [json.loads((tmp_path / run / "front.json").read_text()) for run in ("moved", "undisturbed")]
    assert fronts[0] == fronts[1]


def test_processes_on_both_nodes_find_what_one_process_does(cluster, tmp_path):
    """A node has one CPU, and each of the two processes takes one."""
    small = [*changes(retrain__batch_size=16), *SMOOTH]
    gcs = Path(cluster.environment["NAS_CLUSTER_DIR"], "gcs").read_text().strip()
    two = ("--set", "processes=2")
    done = cluster.nas("search", "runs/digits.py", "--out", str(tmp_path / "one"), *small)
    assert done.returncode == 0, done.stderr
    done = cluster.submit("runs/digits.py", "--name", "two", "--environment", "installed", "--follow", *small, *two)
    assert done.returncode == 0, done.stdout + done.stderr
    # What rank 0 wrote on its node is in the storage.
    assert cluster.fetch("two", tmp_path / "two").returncode == 0
    assert (tmp_path / "two" / "trials" / "0" / "checkpoint" / "epoch-0002.pt").is_file()
    folders = [tmp_path / name / "trials" / "0" for name in ("one", "two")]
    assert_close(*map(history, folders))
    trees, others = (sorted(path.name for path in (folder / "trees").iterdir()) for folder in folders)
    assert trees == others

    tree = ("--tree", str(folders[0] / "trees" / trees[0]))
    for name, arguments in {"alone": (), "shared": ("--address", gcs, *two)}.items():
        done = cluster.nas("retrain", "runs/digits.py", *tree, "--out", str(tmp_path / name), *small, *arguments)
        assert done.returncode == 0, done.stderr
    (alone,), (shared,) = (list((tmp_path / name).glob("retrained/*/*")) for name in ("alone", "shared"))
    assert_close(history(alone), history(shared))


def num_epochs(trial: Path) -> int:
    metrics = trial / "metrics.jsonl"
    return len(metrics.read_text().splitlines()) if metrics.is_file() else 0


def results(trial: Path) -> tuple[list[dict], dict[str, str]]:
    """Metrics of every epoch, without what time it took, and the trees."""
    metrics = [{name: value for name, value in record.items() if "seconds" not in name} for record in history(trial)]
    return metrics, {path.name: path.read_text() for path in (trial / "trees").iterdir()}


def wait_until(cluster: Cluster, job: str, done) -> None:
    """Until a job has done so much, unless it ends before."""
    end, look = time.monotonic() + SECONDS_FOR_A_JOB, time.monotonic()
    while not done():
        now = time.monotonic()
        assert now < end, "waited in vain"
        if now > look + 10:
            assert cluster.job(job)["exit_status"] is None, cluster.nas("logs", job, "--address", cluster.address)
            look = now
        time.sleep(0.2)
