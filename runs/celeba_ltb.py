"""CelebA by parent choice, with the nodes of Learning to Branch: 3, 3, 5, 5, 10, 20, 30 and 40 (Guo et al., ICML 2020).

A variant of `runs/celeba.py` with the same data. The backbone has eight blocks of one 3x3 convolution each, in place of
the paper's VGG, whose channels are not stated. As published are the nodes, the temperature (10, decayed by epochs), and
the two epochs of warm-up. Not stated are the number of epochs and the rate of the logits. The fully shared network
costs 0.025 of 40 separate ones. This recipe is for a GPU.

    nas search runs/celeba_ltb.py                                            the best tree within each budget
    nas search runs/celeba_ltb.py --strategy ltb --set goal.budgets=[]       the published arg-max, without budgets
"""

from celeba import WEIGHTS
from celeba import experiment as celeba

from nas import Experiment, ParentChoice, lazy
from nas.strategies.parents import TemperatureSettings
from search_spaces import DigitsBackbone

PARENTS = ParentChoice(
    epochs=12,
    warmup=2 / 12,
    batch_size=64,
    nodes=(3, 3, 5, 5, 10, 20, 30, 40),
    temperature=TemperatureSettings(kind="epochs", start=10.0),
    weights=WEIGHTS,
)


def experiment() -> Experiment:
    backbone = lazy(
        DigitsBackbone,
        widths=(32, 32, 64, 64, 128, 128, 256, 256),
        strided=(2, 4, 6),
        dense_tasks=(),
        in_channels=3,
    )
    strategies = {"parent_choice": PARENTS, "ltb": PARENTS.model_copy(update={"discretize": "argmax"})}
    return celeba().with_fields(
        {"backbone": backbone, "strategies": strategies, "strategy": "parent_choice", "retrain.epochs": 12}
    )
