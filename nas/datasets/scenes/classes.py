"""The tasks that every sample is labelled for, and the names behind the class numbers."""

from typing import Literal

SceneTask = Literal["semseg", "parts", "depth", "normals", "edge", "sal"]
TASKS: tuple[SceneTask, ...] = ("semseg", "parts", "depth", "normals", "edge", "sal")

SEMSEG_CLASSES = (
    "sky", "ground", "road", "floor", "wall", "ceiling", "picture", "table", "chair", "lamp", "person", "tree",
    "car", "house", "thing",
)  # fmt: skip

FOREGROUND_CLASSES = ("table", "chair", "lamp", "person", "tree", "car", "house", "thing")
"""The classes whose objects can be salient; the other classes are the surroundings."""

PARTS = (
    "background", "head", "torso", "upper_arm", "lower_arm", "upper_leg", "lower_leg", "top", "back", "support",
    "shade", "trunk", "crown", "body", "cabin", "wheel", "walls", "roof", "opening",
)  # fmt: skip
"""The first six after the background are a person's, as in PASCAL human parts. "top" is a table's top and a chair's
seat, "support" is the legs or foot of a table, chair or lamp, "opening" a house's door or window. Other objects have no
parts."""
