"""The record of an experiment is strict JSON, whatever the experiment holds."""

import functools
import json
from pathlib import Path

from nas.cost import FixedPenalty
from nas.files import read_json, write_json_atomically
from nas.recipe import describe, lazy


def test_everything_a_recipe_may_hold_is_written_and_read_back(tmp_path):
    record = describe(
        {
            "penalty": FixedPenalty(weight=float("inf")),
            "data": lazy(dict, folder=Path("a/b"), shares=(0.5, float("nan"))),
            "loss": functools.partial(sorted, [3], reverse=True),
            "names": {"b", "a"},
            "odd": "\ud800",
            "function": json.dumps,
        }
    )
    assert record == {
        "penalty": {"kind": "fixed", "weight": "inf", "per": 1.0},
        "data": {"type": "builtins.dict", "args": {"folder": "a/b", "shares": [0.5, "nan"]}},
        "loss": {"type": "builtins.sorted", "args": {"0": [3], "reverse": True}},
        "names": ["a", "b"],
        "odd": "\ud800",
        "function": {"type": "json.dumps", "args": {}},
    }
    write_json_atomically(tmp_path / "record.json", record)
    assert read_json(tmp_path / "record.json") == record
