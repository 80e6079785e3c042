"""PSNR of clips."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from .base import Clip, MeanMeter, Sums, as_float, require


class PSNRMeter(MeanMeter):
    """PSNR = 10 log10(peak^2 / MSE) in dB, MSE = sum m (f(x) - y)^2 / sum m over all values of a clip.

    Args:
        peak: Width of the range of values.
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

    def update(self, pred: Tensor, target: Tensor | None = None, mask: Tensor | None = None) -> None:
        squares = ((as_float(pred) - as_float(require(target, pred))) / self.peak).square()
        weight: float = squares.numel()
        if mask is not None:
            squares, weight = squares * mask, float(mask.expand_as(squares).sum(dtype=torch.float64))
        self._sums = (self._sums[0] + float(squares.sum(dtype=torch.float64)), self._sums[1] + weight)

    @staticmethod
    def value(sums: Sums) -> float:
        """In dB; infinite without an error."""
        if sums[1] == 0:
            return math.nan
        return math.inf if sums[0] == 0 else 10 * math.log10(sums[1] / sums[0])

    @staticmethod
    def reason(sums: Sums) -> str:
        return "no pixel counts: the mask is empty"


class EquivarianceMeter(PSNRMeter):
    """EQ in dB: the PSNR between f(T(x)) and T(f(x)), after StyleGAN3's EQ-T and EQ-R (Karras et al. 2021, appendix E).

    A measure of a network on still images (`evaluation.equivariance`), and not of a clip.
    """

    name, metric, title, better, reference = "EQ", "ImageEquivariance", "EQ [dB]", "higher", "unused"
    metric_aliases = ()
    about = "does the prediction move with the picture? of stills; infinite if it does exactly"
