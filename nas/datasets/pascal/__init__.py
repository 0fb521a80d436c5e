"""PASCAL-Context with labels for semantic segmentation, human parts, saliency, normals and edges (PASCAL_MT).

`PascalMT` reads the folder that ASTMT, BMTAS, MTI-Net and ATRC use:

    PASCAL_MT/
      JPEGImages/<id>.jpg
      ImageSets/Context/{train,val}.txt        ids
      ImageSets/Parts/{train,val}.txt          optional: {id: categories of the objects}, JSON
      pascal-context/trainval/<id>.mat         LabelMap, 459 classes
      semseg/VOC12/<id>.png, else semseg/pascal-context/<id>.png
      human_parts/<id>.mat                     annotations of PASCAL-Parts
      normals_distill/<id>.png
      sal_distill/<id>.png

Start with `source`, the data source. `files` knows the folders, `decode` turns the files of one sample into arrays,
`edges` derives edges from classes, `human_parts` reads parts of people, `indoor` lists the classes with usable normals,
and `cache` keeps decoded samples on disk.

>>> from nas.datasets.dense_tasks import pascal_context_tasks
>>> sorted(task.name for task in pascal_context_tasks()) == sorted(KINDS)
True
"""

from nas.datasets.pascal.edges import class_edges
from nas.datasets.pascal.human_parts import PART_CLASSES, drop_absent_people
from nas.datasets.pascal.source import KINDS, TASKS, PascalMT

__all__ = ["KINDS", "PART_CLASSES", "TASKS", "PascalMT", "class_edges", "drop_absent_people"]
