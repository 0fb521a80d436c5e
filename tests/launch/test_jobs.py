"""Jobs without a cluster: what is sent to one, and in which words its failures are told."""

import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_digits import RECIPE

from nas.cli.main import run
from nas.datasets.digits import digit_tasks
from nas.errors import InputError
from nas.launch.jobs import client, environment
from nas.launch.jobs.failure import explain
from nas.launch.jobs.probe import missing
from nas.launch.jobs.submit import submit
from nas.tree import BranchTree, write_tree

pytest.importorskip("requests")

ENTRYPOINT_FAILED = (
    "Job entrypoint command failed with exit code {}, last available logs (truncated to 20,000 chars):\n"
)


class Status:
    """Of a job, as Ray's enumeration behaves."""

    def __init__(self, value: str) -> None:
        self.value = value

    def is_terminal(self) -> bool:
        return self.value not in ("PENDING", "RUNNING")


def details(status="FAILED", name="a", message="", error_type=None, exit_code=None, **metadata):
    return SimpleNamespace(
        status=Status(status),
        submission_id=name,
        message=message,
        error_type=error_type,
        driver_exit_code=exit_code,
        metadata=metadata or {"nas_run": f"/store/{name}", "nas_recipe": "runs/digits.py"},
        start_time=1_790_000_000_000,
        end_time=1_790_000_010_500,
    )


class RayClient:
    """Stands for Ray's client: jobs by name; what is submitted ends at once as `then` says."""

    jobs: dict[str, SimpleNamespace]
    packed: dict[str, bytes]

    def __init__(self, address, headers):
        self.address, self.headers = address, headers

    def list_jobs(self):
        return list(self.jobs.values())

    def get_job_info(self, name):
        if name not in self.jobs:
            raise RuntimeError(f"Request failed with status code 404: Job {name} does not exist.")
        return self.jobs[name]

    def get_job_logs(self, name):
        return self.jobs[name].log

    def delete_job(self, name):
        del self.jobs[name]

    def stop_job(self, name):
        self.jobs[name].status = Status("STOPPED")

    def submit_job(self, entrypoint, submission_id, runtime_env, metadata, **reserved):
        job = details("RUNNING", submission_id, **metadata)
        job.entrypoint, job.runtime_env, job.reserved = entrypoint, runtime_env, reserved
        folder = Path(runtime_env["working_dir"])
        job.files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        if "-probe-" in submission_id:
            job.status, job.log = Status("SUCCEEDED"), json.dumps(self.probed)
        self.jobs[submission_id] = job


@pytest.fixture
def cluster(monkeypatch):
    """A cluster without Ray."""
    kind = type("Client", (RayClient,), {"jobs": {}, "probed": {"python": "3.11.9", "missing": []}})
    monkeypatch.setattr(client.Cluster, "_check_server", lambda self, headers: None)
    monkeypatch.setattr(client, "_ray_jobs", lambda: SimpleNamespace(JobSubmissionClient=kind))
    monkeypatch.setattr("nas.launch.jobs.manage._SECONDS_BETWEEN_LOOKS", 0)
    return kind


@pytest.fixture
def no_token(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server():
    """Answers every request as told, and remembers the tokens it saw."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answers.tokens.append(self.headers.get("Authorization"))
            self.send_response(answers.status)
            self.end_headers()
            self.wfile.write(answers.body)

        def log_message(self, *_):
            pass

    http = HTTPServer(("127.0.0.1", 0), Handler)
    answers = SimpleNamespace(status=200, body=b"{}", tokens=[], address=f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield answers
    http.shutdown()
    thread.join()
    http.server_close()


# Submitting


def test_a_job_searches_on_the_cluster_what_the_command_says(cluster):
    job = submit(
        RECIPE,
        address="head:8265",
        storage="s3://bucket/runs/",
        changes={"strategy.epochs": 5, "goal.budgets": [0.4, 0.7]},
        name="mine",
        environment="installed",
    )
    (sent,) = cluster.jobs.values()
    assert sent.entrypoint == (
        "python -m nas search runs/digits.py --address auto --out jobs/mine/mine --storage s3://bucket/runs/ "
        "--set strategy.epochs=5 --set 'goal.budgets=[0.4, 0.7]'"
    )
    assert {"runs/digits.py", "nas/__main__.py", "search_spaces/digits.py"} <= sent.files
    assert "pip" not in sent.runtime_env
    assert (job.name, job.run, job.status) == ("mine", "s3://bucket/runs/mine", "running")


def test_going_on_with_a_run_is_a_job_of_another_name(cluster):
    job = submit(RECIPE, address="head:8265", storage="/store", resume="mine", environment="installed")
    assert job.name.startswith("mine-")
    assert job.run == "/store/mine"
    assert cluster.jobs[job.name].entrypoint.endswith(f"--out jobs/{job.name}/mine --storage /store --resume")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compare", "--run", "mine"], "compare FOLDER --recipe runs/digits.py"),
        (
            ["retrain", "--run", "mine", "--tree", "ab12", "--from", "inherited", "--seed", "3"],
            "retrain FOLDER --recipe runs/digits.py --tree ab12 --from inherited --seed 3 --resume",
        ),
        (
            ["retrain", "--tree", "TREE", "--name", "mine"],
            "retrain runs/digits.py --out FOLDER --tree submitted-tree.json --resume",
        ),
    ],
)
def test_a_retraining_or_comparison_works_on_a_stored_run(cluster, tmp_path, capsys, arguments, words):
    tree = BranchTree.shared([task.name for task in digit_tasks()], 6)
    write_tree(tree, tmp_path / "tree.json")
    verb, *options = [str(tmp_path / "tree.json") if word == "TREE" else word for word in arguments]
    plain = ["--address", "head:8265", "--storage", "/store", "--environment", "installed"]
    settings = ["--set", "trials.cpus=2", "--set", "trials.gpus=1", "--set", "device=auto"]
    assert run(["submit", verb, RECIPE, *options, *plain, *settings]) == 0
    (sent,) = cluster.jobs.values()
    name = capsys.readouterr().out.strip()
    assert name == ("mine" if "--name" in options else sent.submission_id)
    said = words.replace("FOLDER", f"jobs/{name}/mine")
    assert sent.entrypoint == (
        f"python -m nas.cli.stored /store jobs/{name}/mine {said} "
        "--set trials.cpus=2 --set trials.gpus=1 --set 'device=\"auto\"'"
    )
    assert ("submitted-tree.json" in sent.files) is ("submitted-tree" in words)
    assert sent.metadata["nas_run"] == "/store/mine"
    assert sent.reserved == {"entrypoint_num_cpus": 2, "entrypoint_num_gpus": 1}


def test_two_jobs_do_not_work_on_one_run(cluster, capsys):
    cluster.jobs["mine"] = details("RUNNING", "mine")
    plain = ["submit", RECIPE, "--address", "head:8265", "--storage", "/store", "--environment", "installed"]
    assert run([*plain, "--resume", "mine"]) == 2
    assert "/store/mine: the job mine works on this run; wait for its end, or nas stop mine" in capsys.readouterr().err
    cluster.jobs["mine"].status = Status("FAILED")
    assert run([*plain, "--resume", "mine"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", RECIPE], "needs the name of a stored run: --run NAME"),
        (["retrain", RECIPE], "needs a stored run (--run NAME) or a tree (--tree FILE)"),
        (["retrain", RECIPE, "--tree", "gone.json"], "gone.json: no such file"),
        (["retrain", RECIPE, "--run", "a", "--set", "processes=2"], "set the recipe's processes to 1"),
        (["retrain", RECIPE, "--run", "a", "--resume", "b"], "--resume is not for jobs that retrain"),
        (["compare", RECIPE, "--run", "a", "--seed", "1"], "--seed is not for jobs that compare"),
        ([RECIPE, "--tree", "ab12"], "--tree is not for jobs that search"),
        (["compare", RECIPE, "--run", "../a"], "is not a name for a job"),
        (["report", RECIPE], "expected a recipe, or one of search, retrain, compare and a recipe"),
    ],
)
def test_what_a_verb_does_not_take_is_said_before_anything_is_sent(cluster, capsys, arguments, message):
    assert run(["submit", *arguments, "--address", "head:8265", "--storage", "/store"]) == 2
    assert message in capsys.readouterr().err
    assert not cluster.jobs


def test_a_dry_run_lists_what_would_be_sent_and_contacts_no_cluster(tmp_path, capsys):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "__init__.py").write_text("")
    (tmp_path / "lib" / "id_rsa").write_text("secret")
    (tmp_path / "setup.cfg").write_text("")
    recipe = tmp_path / "mine.py"
    recipe.write_text(f"import lib\n{Path(RECIPE).read_text()}")
    assert run(["submit", str(recipe), "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"{recipe.stat().st_size / 1024:.4g} KiB  mine.py" in {line.strip() for line in lines}
    assert lines[-2:] == [
        "left out: lib/id_rsa: its name is that of a secret",
        "not a git repository, so nothing is left out as ignored",
    ]
    assert run(["submit", str(recipe), "--dry-run", "--json"]) == 0
    sent = json.loads(capsys.readouterr().out)
    assert sent["files"]["mine.py"] == recipe.stat().st_size
    assert sent["num_bytes"] == sum(sent["files"].values())
    assert sent["left_out"] == {"lib/id_rsa": "its name is that of a secret"}


def test_what_stays_is_said_when_a_job_is_sent(cluster, tmp_path, capsys):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "net.py").write_text("")
    (tmp_path / "lib" / "credentials.json").write_text("{}")
    (tmp_path / "setup.cfg").write_text("")
    (tmp_path / "mine.py").write_text(f"import lib\n{Path(RECIPE).read_text()}")
    plain = ["--address", "head:8265", "--storage", "/store", "--environment", "installed", "--name", "a"]
    assert run(["submit", str(tmp_path / "mine.py"), *plain]) == 0
    said = capsys.readouterr()
    assert said.out == "a\n"
    assert re.match(r"sends \d+ files, [\d.]+ MiB \(--dry-run lists them\)\n", said.err)
    assert "left out: lib/credentials.json: its name is that of a secret\n" in said.err
    assert "lib/net.py" in cluster.jobs["a"].files
    assert not any("credentials" in path for path in cluster.jobs["a"].files)


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "strategy.epochs=-1"], "strategy.epochs"),
        (["--storage", "runs/out"], "is not a storage: name a URI"),
        (["--name", "../evil"], "is not a name for a job"),
        (["--name", "a b"], "is not a name for a job"),
        (["--name", "a", "--resume", "b"], "is named after it: leave --name out"),
        (["--name", "taken"], "has a job taken already"),
        (["--address", "ray://head:10001"], "expected the address of a cluster's dashboard"),
        (["--max-size", "0"], "--max-size"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(cluster, capsys, arguments, message):
    cluster.jobs["taken"] = details("RUNNING", "taken")
    plain = ["submit", RECIPE, "--address", "head:8265", "--storage", "/store", "--environment", "installed"]
    assert run([*plain, *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(cluster.jobs) == ["taken"]


# Listing, following, stopping


def test_jobs_of_others_are_passed_over(cluster, capsys):
    cluster.jobs = {"a": details("RUNNING", "a"), "b": details(name="b", owner="somebody")}
    assert run(["jobs", "--address", "head:8265", "--json"]) == 0
    (job,) = json.loads(capsys.readouterr().out)
    assert (job["name"], job["status"], job["seconds"], job["exit_status"]) == ("a", "running", 10.5, None)
    assert run(["stop", "b", "--address", "head:8265"]) == 2
    assert "was not submitted by nas submit" in capsys.readouterr().err


def test_a_job_is_stopped(cluster, capsys):
    cluster.jobs = {"a": details("RUNNING", "a")}
    assert run(["stop", "a", "--address", "head:8265"]) == 0
    assert capsys.readouterr().out == "a: stopped; its run is /store/a\n"


@pytest.mark.parametrize("command", ["logs", "stop"])
def test_an_unknown_job(cluster, capsys, command):
    assert run([command, "nono", "--address", "head:8265"]) == 2
    assert "has no job nono; nas jobs lists them" in capsys.readouterr().err


def test_following_ends_as_the_job_ended(cluster, capsys):
    said = "search: epoch 1/3\nerror: runs/mine.py: ModuleNotFoundError: No module named 'mylib'\n"
    cluster.jobs = {"a": details(name="a", message=ENTRYPOINT_FAILED.format(2) + said, exit_code=2)}
    cluster.jobs["a"].log = said
    assert run(["logs", "a", "--address", "head:8265", "--follow"]) == 2
    captured = capsys.readouterr()
    assert captured.out == said
    assert captured.err == (
        "error: job a: runs/mine.py: ModuleNotFoundError: No module named 'mylib' (it is neither below the project's "
        "root, and so packed, nor installed on the cluster)\n"
    )


# What failed


def test_a_failing_installation_shows_what_pip_said():
    message = (
        "runtime_env setup failed: Failed to set up runtime environment.\nTraceback (most recent call last):\n"
        "ray._private.runtime_env.utils.SubprocessCalledProcessError: Run cmd[9] failed with the following details.\n"
        "Last 50 lines of stdout:\n    Looking in indexes: https://pypi.org/simple\n"
        "    ERROR: Ignored the following versions that require a different python version: 1.21.2 Requires-Python\n"
        "    ERROR: Could not find a version that satisfies the requirement nosuch==9 (from versions: 1.0, 2.0)\n"
        "    ERROR: No matching distribution found for nosuch==9\n"
    )
    failure = explain(details(message=message, error_type="RUNTIME_ENV_SETUP_FAILURE"))
    assert failure.cause == (
        "its environment could not be set up: Could not find a version that satisfies the requirement nosuch==9; "
        "No matching distribution found for nosuch==9"
    )
    assert failure.exit_status == 1


def test_a_failing_environment_without_pip_shows_the_last_line():
    message = "runtime_env setup failed: ...\nTraceback ...\nOSError: No space left on device\n"
    failure = explain(details(message=message, error_type="RUNTIME_ENV_SETUP_FAILURE"))
    assert failure.cause == "its environment could not be set up: OSError: No space left on device"


@pytest.mark.parametrize(
    ("said", "exit_code", "cause", "status"),
    [
        ("error: budget 0.1 is below the smallest tree", 2, "budget 0.1 is below the smallest tree", 2),
        ("error: a\nerror: trial 3 failed", 1, "trial 3 failed", 1),
        ("Segmentation fault", -11, "it was killed (signal 11), perhaps for memory", 1),
        ("", 137, "it was killed (signal 9), perhaps for memory", 1),
        ("sh: python: not found", 127, "it ended with exit status 127: sh: python: not found", 127),
    ],
)
def test_a_search_that_fails_says_its_last_error(said, exit_code, cause, status):
    failure = explain(details(message=ENTRYPOINT_FAILED.format(exit_code) + said, exit_code=exit_code))
    assert (failure.cause, failure.exit_status) == (cause, status)


def test_a_lost_head_points_to_resume():
    failure = explain(details(message="Job supervisor actor died", error_type="JOB_SUPERVISOR_ACTOR_DIED"))
    assert "--resume" in failure.cause


# Who lets us in


def test_nobody_answers(no_token):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(InputError, match=rf"127\.0\.0\.1:{port}: no answer \(Connection refused\)"):
            client.Cluster(f"127.0.0.1:{port}")


def test_one_that_never_answers_is_given_up(no_token, monkeypatch):
    monkeypatch.setattr(client, "SECONDS_TO_ANSWER", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(InputError, match="no answer"):
        client.Cluster(f"127.0.0.1:{silent.getsockname()[1]}")


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (401, b"Unauthorized", "authentication required: put the cluster's token into RAY_AUTH_TOKEN"),
        (403, b"Forbidden", "refuses the token from RAY_AUTH_TOKEN"),
        (404, b"", r"answers \(HTTP 404\), but not as a Ray dashboard"),
        (200, b"<html>", "but not as a Ray dashboard"),
        (200, b"[]", "but not as a Ray dashboard"),
    ],
)
def test_who_answers_is_looked_at(no_token, monkeypatch, server, status, body, message):
    if status == 403:
        monkeypatch.setenv("RAY_AUTH_TOKEN", "old")
    server.status, server.body = status, body
    with pytest.raises(InputError, match=message):
        client.Cluster(server.address)
    assert server.tokens == ["Bearer old" if status == 403 else None]


def test_tokens_are_found_where_ray_finds_them(no_token, monkeypatch, tmp_path):
    assert client.find_token() is None
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("home\n")
    assert client.find_token() == "home"
    (tmp_path / "file").write_text("file")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "file"))
    assert client.find_token() == "file"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "text")
    assert client.find_token() == "text"
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert client.find_token() is None


def test_a_token_file_that_is_named_must_be_there(no_token, monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "gone"))
    with pytest.raises(InputError, match=r"RAY_AUTH_TOKEN_PATH names .*gone, which cannot be read"):
        client.find_token()


def test_the_address_that_is_given_is_the_one_that_is_asked(no_token, monkeypatch, server):
    """Ray's own client would take the one of the environment."""
    pytest.importorskip("ray.job_submission")
    server.body = b'{"ray_version": "2.60.0", "version": "4"}'
    monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:1")
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:1")
    assert client.Cluster(server.address)._client.get_address() == server.address


# What a cluster has


def test_the_probe_says_what_is_missing():
    found = missing(["numpy>=1.0", "numpy>=9999", "no-such-package>=1", "pydantic[email]>=2", "pip"])
    assert len(found) == 2
    assert found[0].endswith(", and numpy>=9999 is needed")
    assert found[1] == "no no-such-package"


def test_this_machine_has_all_that_a_search_needs():
    assert missing(environment.requirements()) == []
