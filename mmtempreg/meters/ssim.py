"""SSIM of clips."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..functional import Motion
from ..functional.gaussian import smooth
from .base import Mean, MeanMeter, Picture, as_float, grey

SIGMA, RADIUS = 1.5, 5
"""Of the Gaussian window, in pixels."""


class SSIMMeter(MeanMeter):
    """SSIM of Wang et al. 2004, of the luminance, mean over frames.

    With their Gaussian window (sigma 1.5, 11x11), as `skimage.metrics.structural_similarity(gaussian_weights=True,
    sigma=1.5, use_sample_covariance=False)`.

    Example:
        >>> meter, truth = SSIMMeter(), torch.rand(3, 16, 16)
        >>> meter.update(truth, truth)
        >>> round(SSIMMeter.value(meter.finish()), 4)
        1.0
    """

    name, metric, title, spec, better, display = "ssim", "ClipSSIM", "SSIM", ".4f", "higher", True
    ideal = 1.0
    about = "structural similarity of luminance, Wang et al. 2004"

    def measure(self, pred: Picture, target: Picture, mask: Tensor | None, motion: Motion | None) -> Mean:
        return Mean(float(_ssim(pred.once(grey), target.once(grey), 1.0)), 1)


def ssim(a: Tensor, b: Tensor, peak: float = 1.0) -> Tensor:
    """Mean SSIM of two (C, H, W) images; see `SSIMMeter`.

    Raises:
        ValueError: If a side is below 11 pixels.
    """
    return _ssim(Picture(a), Picture(b), peak)


class Moments(NamedTuple):
    """(C, H, W) float32 of the window around each pixel."""

    mean: Tensor
    variance: Tensor


def moments(image: Tensor) -> Moments:
    """Mean and variance in each window of a (C, H, W) image."""
    values = as_float(image).float()
    mean = smooth(values, SIGMA, RADIUS)
    return Moments(mean, smooth(values.square(), SIGMA, RADIUS).addcmul_(mean, mean, value=-1))


def _ssim(a: Picture, b: Picture, peak: float) -> Tensor:
    if min(a.shape[-2:]) < 2 * RADIUS + 1:
        raise ValueError(f"SSIM needs 11x11 pixels at least, got {tuple(a.shape[-2:])}")
    (mean_a, var_a), (mean_b, var_b) = a.once(moments), b.once(moments)
    means = mean_a * mean_b
    covariance = smooth(a.floats().float() * b.floats().float(), SIGMA, RADIUS).sub_(means)
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    score = means.mul_(2).add_(c1).mul_(covariance.mul_(2).add_(c2))
    score /= (mean_a * mean_a).addcmul_(mean_b, mean_b).add_(c1)
    score /= (var_a + var_b).add_(c2)
    inner = slice(RADIUS, -RADIUS)  # windows that lie in the picture whole
    return score[:, inner, inner].mean(dtype=torch.float64)
