"""PSNR where the camera has lost the light."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmagic.registry import METRICS
from torch import Tensor

from .sequence_metric import SequenceMetric, to_domain


@METRICS.register_module()
class SaturatedPSNR(SequenceMetric):
    """PSNR = 10 log10(peak^2 / MSE) in dB over the saturated pixels of a clip.

    MSE = sum m (f(x) - y)^2 / sum m over all values of all frames, m the saturation mask of the truth. The peak is
    the width of the domain from black to `max_radiance`: domain(max_radiance) - domain(0), which is
    ln(10 + 1/255) - ln(1/255) = 7.844 by default.

    Args:
        domain: As in `SequenceMetric`.
        max_radiance: Radiance of the peak, 1 is where the sensor saturates.
        kwargs: Of `SequenceMetric`; `mask=None` measures all pixels.
    """

    metric = "SaturatedPSNR"

    def __init__(
        self, domain: str = "log", max_radiance: float = 10.0, mask: str | None = "saturated", **kwargs: Any
    ) -> None:
        super().__init__(domain=domain, mask=mask, **kwargs)
        if not max_radiance > 0:
            raise ValueError(f"max_radiance must be positive, got {max_radiance}")
        black, white = to_domain(torch.tensor([0.0, max_radiance], dtype=torch.float64), domain).tolist()
        self.peak = white - black

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
