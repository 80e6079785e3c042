"""VGG16's convolutions from a local file: nothing is downloaded."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torchvision.models import vgg16

from ..openmmlab.checkpoints import read_weights

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""RGB mean and standard deviation, of [0, 1], that torchvision's weights expect to be taken out."""


def load_vgg16(path: str) -> dict[str, Tensor]:
    """The 13 convolutions of VGG16: `0.weight`, `0.bias`, `2.weight`, ..., as `torchvision.models.vgg16().features`.

    Args:
        path: File with a state dict in torchvision's names (`features.0.weight`), trained on ImageNet, Places or what
            you like; `module.` before the names, a `state_dict` around them and other weights beside them do no harm.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a weight is missing in it, or has another shape.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"there is no file {path} with weights of VGG16")
    weights = read_weights(path)
    with torch.device("meta"):
        expected = vgg16(weights=None).features.state_dict()
    wrong = [
        name for name, value in expected.items() if weights.get(f"features.{name}", torch.empty(0)).shape != value.shape
    ]
    if wrong:
        raise ValueError(
            f"{path} does not hold VGG16: features.{wrong[0]} ({tuple(expected[wrong[0]].shape)}) and {len(wrong) - 1} "
            "more are missing, or have another shape"
        )
    return {name: weights[f"features.{name}"] for name in expected}
