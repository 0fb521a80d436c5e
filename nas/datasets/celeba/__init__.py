"""CelebA: pictures of faces with 40 attributes, each yes or no (Liu et al., ICCV 2015), in the folders of its download.

    Anno/list_attr_celeba.txt       line 1: the number of pictures; line 2: the names of the attributes;
                                    then, for each picture, its name and 1 (yes) or -1 (no) for each attribute
    Eval/list_eval_partition.txt    for each picture, its name and 0 (train), 1 (validation) or 2 (test)
    Img/img_align_celeba/<name>     202,599 pictures, 218 x 178

`source` is the data source, `files` reads the two lists, and `attributes` names the tasks.

>>> len(celeba_tasks()), celeba_tasks()[0].name
(40, 'attribute_5_o_Clock_Shadow')
"""

from nas.datasets.celeba.attributes import ATTRIBUTES, celeba_tasks, task_name
from nas.datasets.celeba.source import CelebA

__all__ = ["ATTRIBUTES", "CelebA", "celeba_tasks", "task_name"]
