"""From linear radiance and differences to what a screen shows."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..functional import log_radiance, luminance, to_display, to_pixels


def tone_map(radiance: Tensor, stops: float = -2.0) -> np.ndarray:
    """Linear RGB radiance (3, H, W) to an 8-bit picture (H, W, 3), `stops` brighter (negative: darker), gamma 2.2."""
    return to_pixels(to_display(radiance, stops))


def log_luminance(radiance: Tensor) -> Tensor:
    """Natural logarithm of luminance + 1/255: (..., 3, H, W) to (..., H, W)."""
    return log_radiance(luminance(radiance)).squeeze(-3)
