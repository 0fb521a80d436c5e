"""A predicted map of classes or a mask over the picture that it was predicted for."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from nas.deploy.output_kind import OutputKind
from nas.report.label_view import BACKGROUND, Pixels, class_colours, class_pixels
from nas.report.palette import channels
from nas.tasks import Task

STRENGTH = 0.65
"""Of the colours over the picture in grey."""


def can_overlay(kind: OutputKind, answer: Tensor) -> bool:
    """Whether a prediction, without the batch, is a map of classes or one mask."""
    return (kind == "classes" and answer.ndim == 2) or (kind == "binary" and answer.ndim == 3 and answer.shape[0] == 1)


def overlay(picture: Pixels, kind: OutputKind, task: Task, answer: Tensor, colour: str) -> Pixels:
    """Classes in their colours, without the background; a mask in one colour, as strong as it is probable."""
    if kind == "classes":
        painted_HW3 = torch.from_numpy(class_pixels(task, answer))
        is_background = torch.tensor([one == BACKGROUND for one in class_colours(task)])
        strength_HW = (~is_background[answer.long()]).float()
    else:
        painted_HW3 = torch.tensor(channels(colour)).expand(*answer.shape[1:], 3)
        strength_HW = answer[0].float()
    layers = torch.cat([painted_HW3.movedim(-1, 0), STRENGTH * strength_HW[None]])
    *painted, strength = interpolate(layers[None], picture.shape[:2])[0].numpy()
    grey = picture.mean(-1, keepdims=True)
    return np.asarray(grey + strength[..., None] * (np.stack(painted, -1) - grey), np.float32)
