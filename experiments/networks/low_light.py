"""The network of the Python package neuro-low-light 0.1.0, after Zero-DCE (Guo et al. 2020): brightens dark pictures.

The package's own class gives the curves as well; a picture is what is needed. The weights are in its wheel (MIT), as
`neuro_low_light/weights/best_model.pth`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Curves(nn.Module):
    """Seven convolutions, to the curves of each pixel."""

    def __init__(self, num_curves: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1)
        self.conv2, self.conv3, self.conv4 = (nn.Conv2d(32, 32, 3, padding=1) for _ in range(3))
        self.conv5, self.conv6 = (nn.Conv2d(64, 32, 3, padding=1) for _ in range(2))
        self.conv7 = nn.Conv2d(64, 3 * num_curves, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        conv1, conv2, conv3, conv4, conv5, conv6, conv7 = self.children()
        x1 = conv1(x).relu()
        x2 = conv2(x1).relu()
        x3 = conv3(x2).relu()
        x4 = conv4(x3).relu()
        x5 = conv5(torch.cat([x4, x3], dim=1)).relu()
        x6 = conv6(torch.cat([x5, x2], dim=1)).relu()
        return conv7(torch.cat([x6, x1], dim=1)).tanh()


class LowLight(nn.Module):
    """From RGB (N, 3, H, W) in [0, 1] to the same, brighter: x - a x (1 - x), again and again.

    Args:
        num_curves: How often.
    """

    def __init__(self, num_curves: int = 8) -> None:
        super().__init__()
        self.dce_net = Curves(num_curves)

    def forward(self, x: Tensor) -> Tensor:
        for curve in self.dce_net(x).split(3, dim=1):
            x = (x - curve * x * (1 - x)).clamp(0, 1)
        return x
