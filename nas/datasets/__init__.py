"""Data sets, each with its tasks.

Made in memory, without a download:

- `nas.datasets.digits`: pairs of handwritten digits, six tasks;
- `nas.datasets.planted`: problems whose best tree is known;
- `nas.datasets.scenes`: rendered scenes with exact labels, six dense tasks.

Read from the usual folders:

- `nas.datasets.pascal`: PASCAL-Context in the layout of PASCAL_MT;
- `nas.datasets.npy_layout`: NYUv2 and Cityscapes as arrays.

`nas.datasets.dense_tasks` defines the tasks of scenes, PASCAL-Context, NYUv2 and Cityscapes:

>>> from nas.datasets.dense_tasks import nyuv2_tasks
>>> [(task.name, task.num_outputs) for task in nyuv2_tasks()]
[('semseg', 13), ('depth', 1), ('normals', 3)]

Recipes import this package; the rest of `nas` does not. Your own data need nothing from it: every object with a method
``split(name)`` is a data source (`nas.data`).
"""
