"""Listing, following and stopping jobs."""

import json

import pytest
from launch.jobs.ray_client import ENTRYPOINT_FAILED, details

from nas.cli.main import run


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


def test_what_ray_does_not_do_is_said_in_one_line(cluster, capsys, monkeypatch):
    def refuse(self, name):
        raise RuntimeError("Request failed with status code 500: Traceback:\n  ...\nOSError: gone")

    cluster.jobs = {"a": details("RUNNING", "a")}
    monkeypatch.setattr(cluster, "get_job_logs", refuse)
    assert run(["logs", "a", "--address", "head:8265"]) == 1
    assert capsys.readouterr().err == "error: http://head:8265: OSError: gone\n"
