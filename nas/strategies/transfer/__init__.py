"""The measured search: short trainings of a few trees, and a model of sharing that the exact programme can optimise.

Similarity sees which features tasks want; it does not see whether one task helps another to learn. This strategy
measures it. Each short training of a tree is data for a linear model of what every task gains or loses by sharing each
block with each other task. The model's mean gain over the tasks is a sum over pairs in groups, which is what
`nas.discretize.discretize` optimises, so the best tree within every budget is exact:

>>> from nas.strategies.transfer import TransferModel
>>> from nas.tree import BranchTree
>>> shared, separate = BranchTree.shared(["a", "b"], 1), BranchTree.separate(["a", "b"], 1)
>>> model = TransferModel.fit([shared, separate, shared, separate], [[4.0, -2.0], [0.0, 0.0], [4.1, -2.1], [0.1, 0.1]])
>>> [round(effect) for effect in (model.effects_LTT[0, 0, 1].item(), model.effects_LTT[0, 1, 0].item())]
[8, -4]

`Transfer` is the strategy. Start with `model`; `evidence` has the prior and the noise, `choice` the trees that are
trained next, `strategy` the order of things, `findings` what is concluded. `record` is ``transfer.json``, by which
`gains`, `exchange` and `transfer_map` say which task helps and which hurts which other one.
"""

from typing import TYPE_CHECKING

from nas.lazy_names import on_first_use

if TYPE_CHECKING:
    from nas.strategies.transfer.model import TransferModel
    from nas.strategies.transfer.record import TransferRecord
    from nas.strategies.transfer.settings import TransferSettings
    from nas.strategies.transfer.strategy import Transfer
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = ["Transfer", "TransferModel", "TransferRecord", "TransferSettings"]
