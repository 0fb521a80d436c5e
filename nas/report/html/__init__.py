"""The report of a run: one HTML file that loads nothing, for a browser, a phone, a printer.

>>> from nas.report.html import report_page
>>> from nas.run import RunFolder
>>> text = report_page(RunFolder.open("runs/out/first"))  # doctest: +SKIP

Each section of the page has a module that turns the run's files into plain data, and a template of the same name in
``templates/`` that shows them:

- `answer`: the recommended tree, what it saves, what its tasks gain or lose, how sure that is, and concerns;
- `front`: the plots of trees by cost and quality;
- `trees`: every tree with its picture, and the strip of trees over the budgets;
- `tasks`: every task in every compared network, against its single-task network;
- `sharing`: who helps and hurts whom, and how unlike the tasks are, block by block;
- `decision`: what the search saw on its way: probabilities, losses, trainings;
- `next_steps`: the commands that come next, and the environment.

`known` reads the run once for all of them. `tree_picture` and `plot` compute vector pictures, `page` puts all together.

Names in a run are untrusted. Jinja2 escapes everything that the templates print, characters that do not print are
replaced, and the page's policy (CSP) lets no other script run than its own and loads nothing.

Reports need jinja2 (``pip install 'branched-nas[plot]'``), and neither matplotlib nor a network.
"""

from nas.report.html.page import report_page, try_report, write_report

__all__ = ["report_page", "try_report", "write_report"]
