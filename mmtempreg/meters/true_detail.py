"""True detail: how much of the fine detail is the truth's?"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..functional import Motion
from .base import FLOOR, Meter, Picture, weight_of
from .detail import SIGMA, DetailMeter, energy, fine_detail


class TrueDetailSums(NamedTuple):
    """Sums of K true.

    Attributes:
        products: Of the fine detail of the clip with that of the reference.
        target_energy: Of the fine detail of the reference.
        weight: How many values count.
    """

    products: float
    target_energy: float
    weight: float


class TrueDetailMeter(Meter[TrueDetailSums]):
    """The part of K that is the truth's: (sum m hf hy / sum m |hy|^2)^2, h the high-pass of `DetailMeter`.

    The fine detail of the prediction is split by least squares, hf = b hy + own, where `own` goes with nothing of
    the truth. Their energies add up: K = b^2 + K of `own`. b^2 is this measure; what K has more is invented, or noise.
    Detail that is there but displaced counts as invented.

    Args:
        sigma: Standard deviation of the high-pass in pixels.

    Example:
        >>> meter, truth = TrueDetailMeter(), torch.rand(3, 16, 16)
        >>> meter.update(0.5 * truth, truth)
        >>> round(TrueDetailMeter.value(meter.finish()), 3)
        0.25
    """

    name, metric, title, spec, better = "K_true", "TrueDetail", "K true", ".3f", "near 1"
    ideal, default = 1.0, False
    about = "the part of K that is the truth's detail; what K has more was invented, or is noise"
    nothing = TrueDetailSums(0.0, 0.0, 0.0)

    def __init__(self, sigma: float = SIGMA) -> None:
        if not sigma > 0:
            raise ValueError(f"sigma must be a positive number of pixels, got {sigma}")
        super().__init__()
        self.sigma = sigma

    def measure(self, pred: Picture, target: Picture, mask: Tensor | None, motion: Motion | None) -> TrueDetailSums:
        own, true = (picture.once(fine_detail, self.sigma, DetailMeter.finest) for picture in (pred, target))
        products = own * true if mask is None else own * true * mask
        total = float(products.sum(dtype=torch.float64))
        return TrueDetailSums(total, energy(true, mask), weight_of(mask, pred.values))

    @classmethod
    def value(cls, sums: TrueDetailSums) -> float:
        """0 too where the detail is the opposite of the truth's."""
        if not sums.weight or not sums.target_energy / sums.weight > FLOOR:
            return math.nan
        return max(sums.products / sums.target_energy, 0.0) ** 2

    @classmethod
    def reason(cls, sums: TrueDetailSums) -> str:
        return "the reference has no fine detail" if sums.weight else "no pixel counts: the mask is empty"
