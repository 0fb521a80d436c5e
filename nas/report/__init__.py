"""Pictures of trees, fronts, transfer maps, samples and predictions; graph files of trees; arrays of predictions;
reports of runs.

>>> from nas.report import draw_front, draw_tree, save_figure, save_tree
>>> from nas.tree import BranchTree
>>> tree = BranchTree.from_choices(["semseg", "depth", "edge"], [[0, 0, 0], [0, 0, 1]])
>>> save_tree(tree, "tree.svg")  # doctest: +SKIP
>>> draw_tree(tree, title="Found on NYUv2").get_facecolor()
(1.0, 1.0, 1.0, 1.0)

- `draw_tree`, `draw_tree_pair`, `draw_front`, `draw_comparison`, `draw_task_gains`, `draw_transfer_map`: matplotlib
  figures, for light or dark pages (`theme`), made without pyplot and without global state;
- `sample_sheet`: samples of a data set with their labels and, if asked, predictions;
- `draw_prediction`, `answer_pixels`: what an exported network predicts for a picture;
- `save_tree` (png, svg, pdf, dot, graphml), `save_figure` (png, svg, pdf): write the whole file or nothing, and the
  same bytes for the same tree;
- `prediction_files`, `prediction_table`: the files that `nas predict` writes for each sample, and its table;
- `nas.report.html`: a run as one HTML file.

The code has three layers. `layout` and `label_placement` compute positions without drawing. `canvas` draws shapes and
text with matplotlib in the colours of `palette` and `theme`. `picture`, `tree_pair`, `front`, `comparison`,
`transfer_map`, `sheet` and `prediction` combine them; start there.

Pictures need matplotlib (``pip install 'branched-nas[plot]'``); graph files, arrays and tables do not.
"""

import importlib
from typing import TYPE_CHECKING, Any

from nas.report.save import save_figure, save_tree

if TYPE_CHECKING:
    from nas.report.comparison import draw_comparison, draw_task_gains
    from nas.report.front import draw_front
    from nas.report.picture import draw_tree
    from nas.report.prediction import answer_pixels, draw_prediction
    from nas.report.sheet import sample_sheet
    from nas.report.transfer_map import draw_transfer_map
    from nas.report.tree_pair import draw_tree_pair

__all__ = [
    "answer_pixels",
    "draw_comparison",
    "draw_front",
    "draw_prediction",
    "draw_task_gains",
    "draw_transfer_map",
    "draw_tree",
    "draw_tree_pair",
    "sample_sheet",
    "save_figure",
    "save_tree",
]

_HOMES = {
    "answer_pixels": "nas.report.prediction",
    "draw_comparison": "nas.report.comparison",
    "draw_front": "nas.report.front",
    "draw_prediction": "nas.report.prediction",
    "draw_task_gains": "nas.report.comparison",
    "draw_transfer_map": "nas.report.transfer_map",
    "draw_tree": "nas.report.picture",
    "draw_tree_pair": "nas.report.tree_pair",
    "sample_sheet": "nas.report.sheet",
}


def __getattr__(name: str) -> Any:
    """Import what draws when it is asked for, because graphs are written without matplotlib, too."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import nas.report.canvas  # noqa: F401, first, because it says what to install if matplotlib is missing

    return getattr(importlib.import_module(_HOMES[name]), name)
