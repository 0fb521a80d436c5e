"""The 40 attributes of CelebA, each a task."""

from collections.abc import Sequence

from nas.datasets import columns
from nas.tasks.task import Task

ATTRIBUTES = (
    "5_o_Clock_Shadow", "Arched_Eyebrows", "Attractive", "Bags_Under_Eyes", "Bald", "Bangs", "Big_Lips", "Big_Nose",
    "Black_Hair", "Blond_Hair", "Blurry", "Brown_Hair", "Bushy_Eyebrows", "Chubby", "Double_Chin", "Eyeglasses",
    "Goatee", "Gray_Hair", "Heavy_Makeup", "High_Cheekbones", "Male", "Mouth_Slightly_Open", "Mustache", "Narrow_Eyes",
    "No_Beard", "Oval_Face", "Pale_Skin", "Pointy_Nose", "Receding_Hairline", "Rosy_Cheeks", "Sideburns", "Smiling",
    "Straight_Hair", "Wavy_Hair", "Wearing_Earrings", "Wearing_Hat", "Wearing_Lipstick", "Wearing_Necklace",
    "Wearing_Necktie", "Young",
)  # fmt: skip
"""The names of the attributes, as the file has them."""


def task_name(attribute: str) -> str:
    """The name of an attribute's task (`nas.datasets.columns.task_name`).

    >>> task_name("5_o_Clock_Shadow"), task_name("Male")
    ('attribute_5_o_Clock_Shadow', 'Male')
    """
    return columns.task_name(attribute, "attribute")


def celeba_tasks(attributes: Sequence[str] = ATTRIBUTES) -> tuple[Task, ...]:
    """One task for each attribute, yes or no; the outputs are logits [n, 1]."""
    return tuple(
        Task(
            name=task_name(attribute),
            num_outputs=1,
            loss="binary_cross_entropy",
            metrics=("binary_accuracy", "binary_f1"),
            dense=False,
        )
        for attribute in attributes
    )
