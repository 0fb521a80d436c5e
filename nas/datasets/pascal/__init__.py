"""PASCAL-Context with labels for semantic segmentation, human parts, saliency, normals and edges (PASCAL_MT).

`PascalMT` reads the folder that ASTMT, BMTAS, MTI-Net and ATRC use:

    PASCAL_MT/
      JPEGImages/<id>.jpg
      ImageSets/Context/{train,val}.txt        ids
      ImageSets/Parts/{train,val}.txt          if it is there: {id: categories of the objects}, JSON
      pascal-context/trainval/<id>.mat         LabelMap, 459 classes
      semseg/VOC12/<id>.png, else semseg/pascal-context/<id>.png
      human_parts/<id>.mat                     PASCAL-Parts' annotations
      normals_distill/<id>.png
      sal_distill/<id>.png
"""

from nas.datasets.pascal.edges import class_edges
from nas.datasets.pascal.human_parts import PART_CLASSES, drop_absent_people
from nas.datasets.pascal.indoor import INDOOR_CLASSES
from nas.datasets.pascal.source import KINDS, TASKS, PascalMT

__all__ = ["INDOOR_CLASSES", "KINDS", "PART_CLASSES", "TASKS", "PascalMT", "class_edges", "drop_absent_people"]
