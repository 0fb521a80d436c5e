"""What `nas submit` sends to a cluster, and what it refuses to send."""

import json
import re
from pathlib import Path

import pytest
from launch.jobs.ray_client import Status, details
from small_digits import RECIPE

from nas.cli.main import run
from nas.datasets.digits import digit_tasks
from nas.launch.jobs.submit import submit
from nas.tree import BranchTree, write_tree


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
