"""A perceptual distance whose weights lie in a local file."""

from __future__ import annotations

from typing import Annotated

import torch.nn.functional as F
from annotated_types import Interval
from mmagic.registry import MODELS
from torch import Tensor, nn
from torchvision.models import vgg16 as torchvision_vgg16

from ..utils.validation import check_arguments
from .vgg16 import MEAN, STD, load_vgg16


@MODELS.register_module()
class VGG16Loss(nn.Module):
    """L1 distance of VGG16's features (Johnson et al. 2016), of relu4_3 by default.

    MMagic's `PerceptualLoss` downloads its weights; here they come from a file. They are frozen, and no part of any
    state dict.

    Args:
        vgg16: File with torchvision's weights (`load_vgg16`).
        layers: How many of `torchvision.models.vgg16().features` count: 23 is relu4_3, 16 relu3_3, 9 relu2_2, 4
            relu1_2.
        low, high: The values that are black and white in what is compared: 0 and 1 of display values; of log radiance
            ln(1/255) = -5.5 and, say, 2.3.

    Raises:
        FileNotFoundError, ValueError: If `vgg16` is not there or not VGG16; when called, if maps have not 3 channels.
    """

    @check_arguments
    def __init__(
        self, vgg16: str, *, layers: Annotated[int, Interval(ge=1, le=31)] = 23, low: float = 0.0, high: float = 1.0
    ) -> None:
        super().__init__()
        if not low < high:
            raise ValueError(f"low must be below high, got {low} and {high}")
        features = torchvision_vgg16(weights=None).features
        features.load_state_dict(load_vgg16(vgg16))
        self._features = (features[:layers].eval().requires_grad_(False),)  # in a tuple: no part of the state dict
        self.low, self.high = low, high

    def features(self, image: Tensor) -> Tensor:
        """The features of images (N, 3, H, W), as far as the last layer that counts."""
        if image.shape[1] != 3:
            raise ValueError(f"VGG16 sees RGB, got {image.shape[1]} channels: take another distance for this model")
        mean, std = (image.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
        display = (image - self.low) / (self.high - self.low)
        return self._features[0].to(image.device)((display - mean) / std)

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """The scalar distance of (N, 3, H, W) maps."""
        return F.l1_loss(self.features(pred), self.features(target))
