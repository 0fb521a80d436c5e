"""NYUD_MT: NYUv2 with labels for semantic segmentation, depth, normals and edges, in either of its two releases.

    NYUD_MT/
      gt_sets/{train,val}.txt       ids; 795 and 654
      images/<id>.jpg               425 x 560

      folder                        first release (ASTMT)                second release (MTI-Net)
      edge/<id>                     .png, bytes: x / 255                 .npy, 0 to 1
      segmentation/<id>             .mat, variable ``segmentation``      .png, bytes
      normals/<id>                  .jpg, bytes: 2 x / 255 - 1           .npy, vectors
      depth/<id>                    .mat, variable ``depth``             .npy

Both releases store classes as 1 to 40, and 0 for none. `source` is the data source; `releases` reads the labels.

>>> from nas.datasets.dense_tasks import nyud_tasks
>>> [task.name for task in nyud_tasks()] == list(KINDS)
True
"""

from nas.datasets.nyud.source import KINDS, NYUDMT

__all__ = ["KINDS", "NYUDMT"]
