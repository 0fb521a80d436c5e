"""The page of all settings, from `nas.settings`."""

import json
from collections.abc import Iterable

import nas
from nas.commands.settings import Setting
from nas.strategies import STRATEGIES


def settings_page() -> str:
    """All fields of a recipe, then those of each strategy."""
    ours = [one for one in nas.settings() if not one.strategies]
    parts = [
        "# Settings",
        "Every field of a recipe, as `nas settings` lists it. `--set NAME=VALUE` changes one for a command; NAME in a "
        "name stands for the name of a task. A setting that nothing would read is refused.",
        "## Every recipe",
        _table(ours),
    ]
    for name in STRATEGIES:
        parts += [f"## Strategy `{name}`", _table(nas.settings(name))]
    return "\n\n".join(parts) + "\n"


def _table(found: Iterable[Setting]) -> str:
    rows = [f"| `{one.name}` | {_default(one)} | {_cell(one.meaning)} |" for one in found]
    return "\n".join(["| setting | default | meaning |", "| --- | --- | --- |", *rows])


def _default(one: Setting) -> str:
    """A group of fields has none, since it is listed field by field."""
    if one.required:
        return "required"
    return "" if isinstance(one.default, dict) and one.default else f"`{_cell(json.dumps(one.default))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
