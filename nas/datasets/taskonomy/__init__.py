"""Taskonomy with five dense labels: classes, normals, depth, key points and edges of texture (Zamir et al., CVPR 2018).

Three layouts are read. The first is that of AdaShare, AutoMTL and TreeMTL (`TaskonomyLists`), the other two are those
of the data set's downloads (`TaskonomyBuildings`):

    root/taskonomy.json                          see `nas.datasets.json_splits`; the columns are `COLUMNS`
    root/<building>/<domain>/point_<p>_view_<v>_domain_<domain>.png
    root/<domain>/taskonomy/<building>/point_<p>_view_<v>_domain_<domain>.png

In a file name the domain segment_semantic is written ``segmentsemantic``. Start with `decode`, which turns the files of
one sample into labels. `log_depth` lets an augmentation zoom into depths that are stored as logarithms.

>>> from nas.datasets.dense_tasks import taskonomy_tasks
>>> [task.name for task in taskonomy_tasks()] == list(KINDS)
True
"""

from nas.datasets.taskonomy.buildings import TaskonomyBuildings
from nas.datasets.taskonomy.decode import COLUMNS, KINDS
from nas.datasets.taskonomy.lists import TaskonomyLists
from nas.datasets.taskonomy.log_depth import to_linear_depth, to_log_depth

__all__ = ["COLUMNS", "KINDS", "TaskonomyBuildings", "TaskonomyLists", "to_linear_depth", "to_log_depth"]
