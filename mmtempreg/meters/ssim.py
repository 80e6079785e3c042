"""SSIM of clips."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..functional import luminance
from .base import MeanMeter, as_float, require


class SSIMMeter(MeanMeter):
    """SSIM of Wang et al. 2004, of the luminance, mean over frames.

    With their Gaussian window (sigma 1.5, 11x11), as `skimage.metrics.structural_similarity(gaussian_weights=True,
    sigma=1.5, use_sample_covariance=False)`.
    """

    name, metric, title, spec, better, display = "ssim", "ClipSSIM", "SSIM", ".4f", "higher", True
    ideal = 1.0
    about = "structural similarity of luminance, Wang et al. 2004"

    def update(self, pred: Tensor, target: Tensor | None = None, mask: Tensor | None = None) -> None:
        a, b = (as_float(frame) for frame in (pred, require(target, pred)))
        self.add(float(ssim(luminance(a), luminance(b)) if len(a) == 3 else ssim(a, b)))


def ssim(a: Tensor, b: Tensor, peak: float = 1.0) -> Tensor:
    """Mean SSIM of two (C, H, W) images; see `SSIMMeter`.

    Raises:
        ValueError: If a side is below 11 pixels.
    """
    if min(a.shape[-2:]) < 11:
        raise ValueError(f"SSIM needs 11x11 pixels at least, got {tuple(a.shape[-2:])}")
    x = torch.arange(-5, 6, dtype=torch.float64)
    kernel = torch.exp(-(x**2) / (2 * 1.5**2))
    kernel = (kernel / kernel.sum()).to(a)

    def blur(image: Tensor) -> Tensor:
        return F.conv2d(F.conv2d(image.unsqueeze(1), kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b, cov = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    score = ((2 * mean_a * mean_b + c1) * (2 * cov + c2)) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return score.mean(dtype=torch.float64)
