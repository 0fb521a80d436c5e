"""How results show themselves: one line in a shell, a picture or a table in a notebook, a DataFrame by one call.

A class that derives from `Displayed` says what it is in one line (`summary`), and what its lines are (`records`):

>>> class Costs(Displayed):
...     def summary(self):
...         return "2 parts"
...     def records(self):
...         return [{"part": "stem", "macs": 12_000}, {"part": "<head>", "macs": 340}]
>>> Costs()
Costs(2 parts)
>>> "&lt;head&gt;</td><td>340</td>" in Costs()._repr_html_()
True

Pictures are drawn by `nas.report`, which is above the packages whose results it draws. So these do not import it;
`nas/__init__` says once who draws (`draw_with`).
"""

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from nas.errors import InputError

_MOST_LINES = 20
"""At most so many lines of a table are shown; `Displayed.to_frame` has all."""


class Displayed:
    """A result that shows itself. Notebooks call `_repr_html_` and `_repr_svg_`; without matplotlib a table is shown.

    Attributes:
        picture: the name of the result's picture in `nas.report.notebook`; None if it has none.
    """

    picture: ClassVar[str | None] = None

    def summary(self) -> str:
        """The result in one line."""
        raise NotImplementedError

    def records(self) -> Sequence[Mapping[str, Any]]:
        """The lines of the result's table: plain values by the names of the columns."""
        raise NotImplementedError

    def to_frame(self) -> Any:
        """The result's table as a DataFrame of pandas; InputError if pandas is not installed."""
        try:
            import pandas
        except ImportError as error:
            raise InputError("to_frame needs pandas; install it with: pip install 'branched-nas[notebook]'") from error
        return pandas.DataFrame(list(self.records()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.summary()})"

    def __str__(self) -> str:
        return repr(self)

    @property
    def pictured(self) -> "Displayed | None":
        """The value whose picture is shown; this one, unless a class says something else."""
        return self

    def _repr_svg_(self) -> str | None:
        shown = self.pictured
        return None if shown is None or shown.picture is None or _draw is None else _draw(shown)

    def _repr_html_(self) -> str:
        # A notebook that is offered both shows the HTML.
        return (self._repr_svg_() or "") + html_table(self.records())


Draw = Callable[[Displayed], str | None]
"""Returns a result as an SVG; None if it cannot be drawn."""

_draw: Draw | None = None


def draw_with(draw: Draw) -> None:
    """Let a function draw all pictures."""
    global _draw
    _draw = draw


def html_table(records: Sequence[Mapping[str, Any]]) -> str:
    """A table of plain values, which it escapes; a value that is the same in all lines stands below it."""
    columns = list(dict.fromkeys(name for record in records for name in record))
    values = {name: [record.get(name) for record in records] for name in columns}
    alike = [name for name in columns if len(records) > 1 and all(value == values[name][0] for value in values[name])]
    shown = [name for name in columns if name not in alike]
    head = "".join(f"<th>{html.escape(name)}</th>" for name in shown)
    body = "".join(
        f"<tr>{''.join(f'<td>{_cell(record.get(name))}</td>' for name in shown)}</tr>"
        for record in records[:_MOST_LINES]
    )
    more = len(records) - _MOST_LINES
    below = [f"{html.escape(name)}: {cell}" for name in alike if (cell := _cell(values[name][0]))]
    below += [f"{more} more lines: .to_frame()"] if more > 0 else []
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{''.join(f'<p>{b}</p>' for b in below)}"


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else ""
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    return html.escape(str(value))
