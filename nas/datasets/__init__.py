"""Data sets, each with its tasks.

Read from your own files; tasks are inferred from the columns that you name:

- `nas.datasets.images_csv`: a folder of pictures with a table;
- `nas.datasets.table_csv`: a table (CSV or parquet) whose columns are inputs and targets.

Made in memory, without a download:

- `nas.datasets.digits`: pairs of handwritten digits, six tasks;
- `nas.datasets.planted`: problems whose best tree is known;
- `nas.datasets.function_tasks`: the synthetic tasks of Learning to Branch, functions of one linear map;
- `nas.datasets.scenes`: rendered scenes with exact labels, six dense tasks.

Read from the usual folders:

- `nas.datasets.pascal`: PASCAL-Context in the layout of PASCAL_MT;
- `nas.datasets.npy_layout`: NYUv2 and Cityscapes as arrays;
- `nas.datasets.nyud`: NYUv2 in the layout of NYUD_MT, in either of its releases;
- `nas.datasets.nyuv2_pictures`: NYUv2 as pictures, with AdaShare's JSON file of splits;
- `nas.datasets.taskonomy`: Taskonomy with AdaShare's JSON file, or as it is downloaded;
- `nas.datasets.celeba`: CelebA, 40 attributes of faces;
- `nas.datasets.camvid`: street scenes with 11 classes, and two tasks derived from them;
- `nas.datasets.molecules`: Tox21, SIDER and ToxCast, yes-or-no effects of molecules as fingerprints.

`nas.datasets.json_splits` reads JSON files of splits for any data set. `nas.datasets.dense_tasks` defines the tasks of
all of these that have dense labels:

>>> from nas.datasets.dense_tasks import nyuv2_tasks
>>> [(task.name, task.num_outputs) for task in nyuv2_tasks()]
[('semseg', 13), ('depth', 1), ('normals', 3)]

Recipes import this package; the rest of `nas` does not. Your own data need nothing from it: every object with a method
``split(name)`` is a data source (`nas.data`).
"""
