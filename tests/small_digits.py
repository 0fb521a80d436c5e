"""The digits recipe, small: arguments for commands that tests run by the dozen, and how a refusal has to look."""

from pathlib import Path

from nas.cli.main import run

RECIPE = str(Path(__file__).parents[1] / "runs" / "digits.py")


def changes(**fields: object) -> list[str]:
    """``--set`` arguments for small data and settings, and fields that differ from these; "__" stands for a dot."""
    small = {
        "data__num_train": 64,
        "data__num_architecture": 32,
        "data__num_validation": 32,
        "data__num_test": 32,
        "strategy": "gradient",
        "strategy__epochs": 2,
        "strategy__batch_size": 32,
        # Batching them takes longer than a search of this size.
        "strategy__candidates": "plain",
        "goal__budgets": [0.3, 0.9],
        "retrain__epochs": 1,
        "compare__seeds": [0],
        "compare__random_trees": 1,
        "num_threads": 1,
    }
    named = {**small, **fields}
    return [part for name, value in named.items() for part in ("--set", f"{name.replace('__', '.')}={value}")]


def refused(capsys, *arguments: object) -> str:
    """What a command says on standard error that is refused with exit status 2, one line and nothing else."""
    capsys.readouterr()
    status = run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert status == 2, captured.err
    assert not captured.out, captured.out
    lines = captured.err.splitlines()
    assert len(lines) == 1, captured.err
    assert lines[0].startswith("error: ")
    assert lines[0].isprintable()
    return lines[0]
