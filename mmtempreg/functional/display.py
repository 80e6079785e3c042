"""From linear radiance to what a screen shows, and to pixels of 8 bits.

Display values lie in [0, 1] and are encoded with a gamma of 2.2.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

GAMMA = 2.2
"""The exponent of a display's response."""

RADIANCE_STOPS = -math.log2(10)
"""Exposure (`to_display`) at which blind consistency sees radiance: white is 10, the most that HDR metrics count."""


def white_of(dtype: np.dtype | torch.dtype) -> int:
    """The whole number that white is in pixels of a type, of NumPy or torch.

    Raises:
        ValueError: If pixels are not of this type.
    """
    name = str(dtype).removeprefix("torch.")
    if name not in _WHITE:
        raise ValueError(f"pixels are whole numbers of 8 or 16 bits without sign, not {name}: convert them")
    return _WHITE[name]


_WHITE = dict(uint8=255, uint16=65535)


def gamma_encode(radiance: Tensor) -> Tensor:
    """Linear radiance v >= 0 to v^(1/2.2)."""
    return radiance ** (1 / GAMMA)


def to_display(radiance: Tensor, stops: float = 0.0) -> Tensor:
    """Linear radiance to display values in [0, 1]: `stops` brighter (negative: darker), clipped at 1, gamma 2.2."""
    return gamma_encode((radiance * 2.0**stops).clamp(0, 1))


def from_display(display: Tensor, stops: float = 0.0) -> Tensor:
    """The inverse of `to_display` where that does not clip: display values in [0, 1] to linear radiance."""
    return display**GAMMA * 2.0**-stops


def to_pixels(display: Tensor) -> np.ndarray:
    """Display values (C, H, W), clipped to [0, 1], to a picture (H, W, C) of 8 bits, contiguous."""
    return np.ascontiguousarray((display.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy())
