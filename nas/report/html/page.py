"""Puts the sections of a report together, and writes the file."""

import base64
import hashlib
import logging
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nas
from nas.errors import InputError
from nas.files import write_text_atomically
from nas.report.html.answer import answer
from nas.report.html.decision import decision
from nas.report.html.front import plots
from nas.report.html.known import Known
from nas.report.html.next_steps import commands, environment
from nas.report.html.sharing import heat_maps
from nas.report.html.tasks import task_table
from nas.report.html.trees import strip, trees
from nas.report.palette import task_colours
from nas.report.theme import DARK, LIGHT
from nas.run import RunFolder

if TYPE_CHECKING:
    from jinja2 import Environment

NAME = "report.html"
_TEMPLATES = Path(__file__).parent / "templates"

_LOGGER = logging.getLogger(__name__)


class MissingJinja(InputError, ImportError):
    """Jinja2 is not installed."""


def report_page(run: RunFolder) -> str:
    """The report of a finished search as HTML.

    Raises:
        InputError: the search is not finished, a file of the run is malformed, or jinja2 is missing.
    """
    templates, known = _environment(), Known.of(run)
    script = _source("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = ("default-src 'none'", "style-src 'unsafe-inline'", f"script-src 'sha256-{digest}'")
    return templates.get_template("page.html").render(
        style=_safe(_source("report.css")),
        script=_safe(script),
        policy="; ".join((*policy, "base-uri 'none'", "form-action 'none'")),
        colours=_colours(len(known.table.heads)),
        title=run.path.resolve().name,
        version=nas.__version__,
        tasks=list(known.table.heads),
        num_blocks=len(known.table.blocks),
        answer=answer(known),
        plots=plots(known),
        trees=trees(known),
        strip=strip(known),
        table=task_table(known),
        heat_maps=heat_maps(known),
        decision=decision(known),
        commands=commands(known),
        environment=environment(known),
    )


def write_report(run: RunFolder, path: Path | None = None) -> Path:
    """Write the report of a finished search; returns the file, by default ``report.html`` in the run folder."""
    path = run.path / NAME if path is None else path
    write_text_atomically(path, report_page(run))
    return path


def try_report(run: RunFolder) -> None:
    """Write a run's report at the end of a command that has done its work: what goes wrong is a warning, no failure."""
    try:
        write_report(run)
    except (InputError, OSError) as error:
        _LOGGER.warning("no report written: %s", error)


def _colours(num_tasks: int) -> list[tuple[str, str, str, str]]:
    """By task: the colours of surfaces and of text on a light page, then on a dark one."""
    return [
        (LIGHT.fill(colour), LIGHT.text(colour), DARK.fill(colour), DARK.text(colour))
        for colour in task_colours(num_tasks)
    ]


@cache
def _environment() -> "Environment":
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise MissingJinja("reports need jinja2; install it with: pip install 'branched-nas[plot]'") from error
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _printable(value: Any) -> Any:
    """Text with a replacement for characters that do not print: some of them reorder or hide what follows."""
    if type(value) is not str or value.isprintable():
        return value
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in value)


def _source(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _safe(text: str) -> Any:
    """The project's own text, which is not escaped."""
    from markupsafe import Markup

    return Markup(text)
