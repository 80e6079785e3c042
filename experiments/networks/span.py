"""SPAN (Wan et al., *Swift Parameter-free Attention Network for Efficient Super-Resolution*, 2023), as it is run.

A plain network, which nobody registered: for `tools/steady.py experiments/networks/span.py:SPAN`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MEAN = (0.4488, 0.4371, 0.4040)
"""Of DIV2K's photographs, R, G, B; taken out, and what is left is scaled to 8 bits."""


class Block(nn.Module):
    """Three convolutions, whose result weighs itself."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.c1_r, self.c2_r, self.c3_r = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The block's result, and what its first convolution gives."""
        first = F.silu(self.c1_r(x))
        third = self.c3_r(F.silu(self.c2_r(first)))
        return (third + x) * (third.sigmoid() - 0.5), first


class SPAN(nn.Module):
    """From RGB (N, 3, h, w) in [0, 1] to (N, 3, scale h, scale w).

    Args:
        channels: 48 or 52.
        scale: 2 or 4.
    """

    def __init__(self, channels: int = 48, scale: int = 4) -> None:
        super().__init__()
        self.conv_1 = nn.Conv2d(3, channels, 3, padding=1)
        for number in range(1, 7):
            self.add_module(f"block_{number}", Block(channels))
        self.conv_2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_cat = nn.Conv2d(4 * channels, channels, 1)
        self.upsampler = nn.Sequential(nn.Conv2d(channels, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, x: Tensor) -> Tensor:
        start = out = self.conv_1((x - x.new_tensor(MEAN).view(3, 1, 1)) * 255)
        results = []
        for number in range(1, 7):
            out, first = getattr(self, f"block_{number}")(out)
            results.append(out)
        return self.upsampler(self.conv_cat(torch.cat([start, self.conv_2(out), results[0], first], dim=1)))
