"""Pairs of handwritten digits with six tasks, made in memory: the example that needs no download.

>>> from nas.datasets.digits import DigitPairs, digit_tasks
>>> [task.name for task in digit_tasks()]
['left', 'right', 'sum', 'larger', 'ink', 'restore']
>>> inputs, labels = DigitPairs(num_train=16).split("train")[0]
>>> inputs.shape
torch.Size([1, 12, 20])
"""

from nas.datasets.digits.source import DigitPairs
from nas.datasets.digits.tasks import digit_tasks

__all__ = ["DigitPairs", "digit_tasks"]
