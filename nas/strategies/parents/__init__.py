"""Parent choice, the differentiable search of Learning to Branch (Guo et al., ICML 2020).

A supernet holds some nodes of every block. Each node reads one node of the block before it, and each task one node of
the last block. The logits say how probable each choice is. Weights and logits are trained together, on one loss and the
same batches. Tasks that descend from the same node share its block in the discrete tree.

`ParentChoice` is the strategy, and `ltb` is its published setting:

    >>> ltb(epochs=2).nodes
    3
    >>> ParentChoice(nodes=(2, 3, 4)).nodes_of(num_blocks=3, num_tasks=5)
    (2, 3, 4)

Start with `steps`, which has the optimiser step. `search` arranges it in epochs and saves checkpoints, `state` holds
all that changes, `settings` documents every field, and `temperature` has the schedules. The network is
`nas.networks.supernet.ParentSupernet`, the expected cost is in `nas.cost.parents`, and the way to trees in
`nas.discretize.parents`.
"""

from typing import TYPE_CHECKING

from nas.lazy_names import on_first_use

if TYPE_CHECKING:
    from nas.strategies.parents.search import JointSearch
    from nas.strategies.parents.settings import ParentSettings, published
    from nas.strategies.parents.state import ParentRecord, ParentState
    from nas.strategies.parents.steps import joint_step
    from nas.strategies.parents.strategy import ParentChoice, ltb
    from nas.strategies.parents.temperature import TemperatureSettings
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "JointSearch",
    "ParentChoice",
    "ParentRecord",
    "ParentSettings",
    "ParentState",
    "TemperatureSettings",
    "joint_step",
    "ltb",
    "published",
]
