"""An extension of griffe, the reader of docstrings: examples are blocks of code."""

from typing import Any

import griffe

from tools.docs_site.examples import fenced


class Examples(griffe.Extension):
    """Puts fences around the examples of every docstring."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
