"""RGB and CIE Lab (D65, 2 degrees), differentiable."""

from __future__ import annotations

import torch
from torch import Tensor

# IEC 61966-2-1, in the digits of scikit-image
RGB_TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
WHITE = (0.95047, 1.0, 1.08883)
"""XYZ of D65."""

AB_SCALE = 110.0
"""a and b of Lab are divided by this for networks and metrics, and then lie in [-1, 1]."""

# the line below the cube root, rounded as in scikit-image
_KNEE, _SLOPE, _OFFSET = 0.008856, 7.787, 16 / 116


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """CIE Lab of sRGB display values.

    Args:
        rgb: (..., 3, H, W) in [0, 1]; values outside are continued by the same curves.

    Returns:
        The same shape: L in [0, 100], a and b in about [-108, 99].
    """
    linear = torch.where(rgb > 0.04045, ((rgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = _mix(linear, rgb.new_tensor(RGB_TO_XYZ)) / rgb.new_tensor(WHITE).view(3, 1, 1)
    # the clamp keeps the gradient of the branch that is not taken finite
    f = torch.where(xyz > _KNEE, xyz.clamp(min=_KNEE) ** (1 / 3), _SLOPE * xyz + _OFFSET)
    x, y, z = f.unbind(dim=-3)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=-3)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """sRGB display values of CIE Lab, the inverse of `rgb_to_lab`; not clipped to [0, 1].

    Args:
        lab: (..., 3, H, W).
    """
    lightness, a, b = lab.unbind(dim=-3)
    y = (lightness + 16) / 116
    f = torch.stack([y + a / 500, y, y - b / 200], dim=-3)
    xyz = torch.where(f > _KNEE ** (1 / 3), f**3, (f - _OFFSET) / _SLOPE) * lab.new_tensor(WHITE).view(3, 1, 1)
    linear = _mix(xyz, torch.linalg.inv(torch.tensor(RGB_TO_XYZ, dtype=torch.float64)).to(lab))
    return torch.where(linear > 0.0031308, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055, 12.92 * linear)


def _mix(channels: Tensor, matrix: Tensor) -> Tensor:
    return torch.einsum("ij,...jhw->...ihw", matrix, channels)
