"""PSNR of clips; and where the camera has lost the light."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmagic.registry import METRICS
from torch import Tensor

from .sequence_metric import SequenceMetric, to_domain


@METRICS.register_module()
class ClipPSNR(SequenceMetric):
    """PSNR = 10 log10(peak^2 / MSE) in dB, MSE = sum m (f(x) - y)^2 / sum m over all values of a clip's frames.

    Args:
        peak: Width of the range of values in the domain: 255 of MMagic's images, 2 of `domain='ab'`.
        kwargs: Of `SequenceMetric`; m is its `mask`, 1 by default.
    """

    metric = "ClipPSNR"

    def __init__(self, peak: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not peak > 0:
            raise ValueError(f"peak must be positive, got {peak}")
        self.peak = peak

    def start_clip(self, fps: float, num_frames: int) -> None:
        self._squares = self._weight = 0.0

    def update(self, gt: Tensor, pred: Tensor, mask: Tensor | None) -> None:
        weight = torch.ones_like(gt) if mask is None else mask.expand_as(gt)
        self._squares += float((weight * (pred - gt).square()).sum(dtype=torch.float64))
        self._weight += float(weight.sum(dtype=torch.float64))

    def finish_clip(self) -> tuple[float, ...] | None:
        return None if self._weight == 0 else (self._squares, self._weight)

    def value(self, totals: tuple[float, ...]) -> float:
        squares, weight = totals
        return math.inf if squares == 0 else 10 * math.log10(self.peak**2 * weight / squares)


@METRICS.register_module()
class SaturatedPSNR(ClipPSNR):
    """PSNR of radiance over the saturated pixels of a clip: m is the saturation mask of the truth.

    The peak is the width of the domain from black to `max_radiance`: domain(max_radiance) - domain(0), which is
    ln(10 + 1/255) - ln(1/255) = 7.844 by default.

    Args:
        domain: 'log', 'linear' or 'gamma', as in `SequenceMetric`.
        max_radiance: Radiance of the peak, 1 is where the sensor saturates.
        kwargs: Of `SequenceMetric`; `mask=None` measures all pixels.

    Raises:
        ValueError: For an unknown option, and for the domain 'ab', which radiance has not.
    """

    metric = "SaturatedPSNR"

    def __init__(
        self, domain: str = "log", max_radiance: float = 10.0, mask: str | None = "saturated", **kwargs: Any
    ) -> None:
        if not max_radiance > 0 or domain == "ab":
            raise ValueError(f"max_radiance must be positive, got {max_radiance}, and domain not 'ab', got {domain!r}")
        black, white = to_domain(torch.tensor([0.0, max_radiance], dtype=torch.float64), domain).tolist()
        super().__init__(white - black, domain=domain, mask=mask, **kwargs)
