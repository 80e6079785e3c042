"""PSNR of clips."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..functional import Motion
from .base import Clip, Mean, MeanMeter, Picture, squared_distance, weight_of


class PSNRMeter(MeanMeter):
    """PSNR = 10 log10(peak^2 / MSE) in dB, MSE = sum m (f(x) - y)^2 / sum m over all values of a clip.

    Args:
        peak: Width of the range of values.

    Example:
        >>> meter, truth = PSNRMeter(), torch.rand(3, 8, 8)
        >>> meter.update(truth + 0.1, truth)
        >>> round(PSNRMeter.value(meter.finish()), 2)
        20.0
    """

    name, metric, title, spec, better = "psnr", "ClipPSNR", "PSNR [dB]", ".2f", "higher"
    metric_aliases: ClassVar[tuple[str, ...]] = ("SaturatedPSNR",)
    about = "is it right? of all values of the clip that count"

    def __init__(self, peak: float = 1.0) -> None:
        super().__init__()
        self.peak = peak

    @classmethod
    def of_clip(cls, clip: Clip, **options: Any) -> PSNRMeter:
        return cls(clip.peak, **options)

    def measure(self, pred: Picture, target: Picture, mask: Tensor | None, motion: Motion | None) -> Mean:
        a, b = pred.floats(), target.floats()
        if mask is None:
            squares = squared_distance(a, b)
        else:
            squares = float(((a - b).square() * mask).sum(dtype=torch.float64))
        return Mean(squares / self.peak**2, weight_of(mask, pred.values))

    @classmethod
    def value(cls, sums: Mean) -> float:
        """In dB; infinite without an error."""
        if sums.weight == 0:
            return math.nan
        return math.inf if sums.total == 0 else 10 * math.log10(sums.weight / sums.total)

    @classmethod
    def reason(cls, sums: Mean) -> str:
        return "no pixel counts: the mask is empty"


class EquivarianceMeter(PSNRMeter):
    """EQ in dB: the PSNR between f(T(x)) and T(f(x)), after StyleGAN3's EQ-T and EQ-R (Karras et al. 2021, appendix E).

    A measure of a network on still images (`evaluation.equivariance`), and not of a clip.
    """

    name, metric, title, better, reference = "EQ", "ImageEquivariance", "EQ [dB]", "higher", "unused"
    metric_aliases = ()
    about = "does the prediction move with the picture? of stills; infinite if it does exactly"
