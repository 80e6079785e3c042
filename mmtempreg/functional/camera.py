"""A camera's response, its inverse, saturation, and the log radiance in which HDR losses are taken.

Radiance is linear and relative: 1 is where the sensor saturates. Display values lie in [0, 1]. Colour is RGB,
in a channel dimension that stands third from last, (..., C, H, W).
"""

from __future__ import annotations

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

from .gaussian import gaussian_window

LOG_EPSILON = 1 / 255
"""Added to radiance before the logarithm (hdrcnn's training code)."""

SATURATION_THRESHOLD = 0.95
"""Value at which the blend of input and prediction begins (Eilertsen et al. 2017, Eq. 2)."""

LUMINANCE_WEIGHTS = (0.213, 0.715, 0.072)
"""R, G, B weights of luminance (hdrcnn's training code)."""


def _check_curve(n: Tensor | float, s: Tensor | float) -> None:
    if (torch.as_tensor(n) <= 0).any() or (torch.as_tensor(s) <= 0).any():
        raise ValueError(f"a camera curve needs n > 0 and s > 0, got n={n}, s={s}")


def camera_curve(radiance: Tensor, n: Tensor | float, s: Tensor | float) -> Tensor:
    """Sigmoid camera curve f(H) = (1+s) H^n / (H^n + s); f(0) = 0 and f(1) = 1.

    Args:
        radiance: Linear radiance in [0, 1]: clip it first, the sensor does.
        n: Exponent, above 0. 0.5 with a very large `s` is the plain gamma 2.
        s: Shoulder, above 0.

    Returns:
        Display values in [0, 1].
    """
    _check_curve(n, s)
    power = radiance**n
    return (1 + s) * power / (power + s)


def inverse_camera_curve(display: Tensor, n: Tensor | float, s: Tensor | float) -> Tensor:
    """The inverse of `camera_curve`: H = (s D / (1 + s - D))^(1/n) for D in [0, 1]."""
    _check_curve(n, s)
    return (s * display / (1 + s - display)) ** (1 / n)


def saturation_mask(image: Tensor, threshold: float = SATURATION_THRESHOLD) -> Tensor:
    """Saturation of each pixel: clip((max_c image - threshold) / (1 - threshold), 0, 1).

    Args:
        image: (..., C, H, W), display values or radiance (where 1 saturates).
        threshold: In [0, 1).

    Returns:
        (..., 1, H, W) in [0, 1].
    """
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must lie in [0, 1), got {threshold}")
    brightest = image.amax(dim=-3, keepdim=True)
    return ((brightest - threshold) / (1 - threshold)).clamp(0, 1)


def log_radiance(radiance: Tensor) -> Tensor:
    """log(H + 1/255), natural logarithm, of radiance H >= 0."""
    return torch.log(radiance + LOG_EPSILON)


def exp_radiance(log_value: Tensor) -> Tensor:
    """The inverse of `log_radiance`, clipped at 0."""
    return (torch.exp(log_value) - LOG_EPSILON).clamp(min=0)


def luminance(rgb: Tensor) -> Tensor:
    """Weighted sum of R, G and B: (..., 3, H, W) to (..., 1, H, W)."""
    weights = rgb.new_tensor(LUMINANCE_WEIGHTS).view(3, 1, 1)
    return (rgb * weights).sum(dim=-3, keepdim=True)


def pixel_luminance(pixels: Tensor) -> Tensor:
    """`luminance(pixels / 255)` of (3, H, W) uint8, the same to the bit, by tables of 256 values: (1, H, W) float32."""
    levels = torch.arange(256, dtype=torch.float32) / 255
    planes = [cv2.LUT(p, (levels * w).numpy()) for p, w in zip(pixels.contiguous().numpy(), LUMINANCE_WEIGHTS)]
    return torch.from_numpy(planes[0] + planes[1] + planes[2]).unsqueeze(0)


def illumination(log_rgb: Tensor, sigma: float = 3 * 2**0.5, radius: int = 6) -> Tensor:
    """The blurred log luminance of a log-radiance image, hdrcnn's estimate of the illumination.

    The authors' kernel is the square root of the outer product of a Gaussian of 3 pixels with itself, 13x13,
    which is a Gaussian of 3 sqrt(2) pixels. Borders are replicated.

    Args:
        log_rgb: (N, 3, H, W), natural logarithm of RGB radiance.

    Returns:
        (N, 1, H, W).
    """
    log_luminance = log_radiance(luminance(torch.exp(log_rgb)))
    kernel = gaussian_window(sigma, radius, log_rgb)
    padded = F.pad(log_luminance, (radius,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
