"""The eye's spatio-temporal contrast sensitivity, beside the high-pass of S (paper, Figure 3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .temporal import SIGMA

LAIRD = (0.6329, 0.8404, 0.7986)
"""Constants c0, c1, c2 of Laird et al. 2006. Kelly 1979 has 1, 1, 1, and Daly 1998 1.14, 0.67, 1.7."""

SLOWEST = 0.1
"""Degrees per second: the drift of an eye that is held still."""


def contrast_sensitivity(spatial: Tensor, temporal: Tensor, constants: tuple[float, float, float] = LAIRD) -> Tensor:
    """Kelly's spatio-velocity contrast sensitivity, as Daly and Laird have fitted it.

        S = k c0 c1 c2 v (2 pi c1 rho)^2 exp(-4 pi c1 rho / rho_max),   v = max(omega / rho, 0.1 deg/s),
        k = 6.1 + 7.3 |log10(c2 v / 3)|^3,   rho_max = 45.9 / (c2 v + 2).

    Args:
        spatial: rho > 0, in cycles per degree.
        temporal: omega >= 0, in Hz; broadcast with `spatial`.
        constants: c0, c1, c2.

    Returns:
        1 / the contrast that is just visible.
    """
    c0, c1, c2 = constants
    velocity = (temporal / spatial).clamp(min=SLOWEST)
    k = 6.1 + 7.3 * torch.log10(c2 * velocity / 3).abs() ** 3
    highest = 45.9 / (c2 * velocity + 2)
    return (
        k
        * c0
        * c1
        * c2
        * velocity
        * (2 * math.pi * c1 * spatial) ** 2
        * torch.exp(-4 * math.pi * c1 * spatial / highest)
    )


def highpass_response(temporal: Tensor, sigma: float = SIGMA) -> Tensor:
    """The part of a frequency that v - G_sigma * v leaves: 1 - exp(-2 pi^2 sigma^2 f^2).

    Args:
        temporal: f in Hz.
        sigma: Standard deviation of the Gaussian in seconds.
    """
    return 1 - torch.exp(-2 * (math.pi * sigma * temporal) ** 2)
