"""The notebook of the documentation runs, and every cell that ends with a value shows it."""

import json
from pathlib import Path

import pytest

from tools import notebook

ROOT = Path(__file__).parents[2]


def test_a_script_becomes_cells_with_what_they_print_and_show():
    script = "# %% [markdown]\n# # Title\n#\n# text\n# %%\nx = 2\nprint(x)\nx + 1\n# %%\nNone\n"
    text, code, last = notebook.notebook(script)["cells"]
    assert text["source"] == "# Title\n\ntext"
    assert [output.get("text") or output["data"] for output in code["outputs"]] == ["2\n", {"text/plain": "3"}]
    assert last["outputs"] == []


@pytest.mark.slow
def test_the_first_search_runs_and_draws_its_results(tmp_path, monkeypatch):
    script = (ROOT / "runs" / "notebooks" / "first_search.py").read_text()
    monkeypatch.chdir(tmp_path)
    made = json.loads(json.dumps(notebook.notebook(script)))
    results = [output["data"] for cell in made["cells"] for output in cell.get("outputs", ())]
    assert len(results) == 7
    front, tree = results[1], results[3]
    assert "<svg" in front["text/html"]
    assert tree["image/svg+xml"].startswith("<svg")
    assert tree["text/plain"].startswith("BranchTree(")
    assert all("<table" in result["text/html"] for result in (results[0], results[2], results[4], results[5]))
    assert results[6]["text/plain"].startswith("[TrainedNetwork(")
