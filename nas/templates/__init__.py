"""Recipes to begin with: each template looks at data and writes a recipe for them, with what it found as comments.

- `images`: a folder of pictures with a table;
- `table`: a table whose columns are inputs and tasks;
- `arrays`: folders of arrays with a label for every pixel.

`roles` says which column of a table is what, `backbones` writes the lines of the backbone, and `source_text` quotes
what a file holds, so that no text of a table becomes code. A written recipe is ordinary Python.

>>> sorted(TEMPLATES)
['arrays', 'images', 'table']

To add a template, write its module with a function ``write`` and add one line to `names`. The modules are imported when
a recipe is written, so that listing the templates needs no torch.
"""

from nas.templates.names import TEMPLATES, possible_targets, recipe_text, template_for
from nas.templates.wanted import Wanted

__all__ = ["TEMPLATES", "Wanted", "possible_targets", "recipe_text", "template_for"]
