"""Data sets, each with its tasks: examples that are made in memory, and readers of the usual folders.

- `nas.datasets.digits`: pairs of handwritten digits, six tasks.
- `nas.datasets.planted`: problems whose best tree is known.
- `nas.datasets.scenes`: rendered scenes with exact labels, six dense tasks.
- `nas.datasets.pascal`: PASCAL-Context in the layout of PASCAL_MT.
- `nas.datasets.npy_layout`: NYUv2 and Cityscapes as arrays.
- `nas.datasets.dense_tasks`: the tasks of the last three.

Recipes import this package; the search, the training and the networks do not know it. Your own data need nothing from
it: any object with ``split(name)`` is a source (`nas.data`).
"""
