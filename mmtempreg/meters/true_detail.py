"""True detail: how much of the fine detail is the truth's?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .base import FLOOR, Meter, Sums, require
from .detail import SIGMA, fine_detail


class TrueDetailMeter(Meter):
    """The part of K that is the truth's: (sum m hf hy / sum m |hy|^2)^2, h the high-pass of `DetailMeter`.

    The fine detail of the prediction is split by least squares, hf = b hy + own, where `own` goes with nothing of
    the truth. Their energies add up: K = b^2 + K of `own`. b^2 is this measure; what K has more is invented, or noise.
    Detail that is there but displaced counts as invented.

    Args:
        sigma: Standard deviation of the high-pass in pixels.
    """

    name, metric, title, spec, better = "K_true", "TrueDetail", "K true", ".3f", "near 1"
    ideal, default = 1.0, False
    about = "the part of K that is the truth's detail; what K has more was invented, or is noise"

    def __init__(self, sigma: float = SIGMA) -> None:
        if not sigma > 0:
            raise ValueError(f"sigma must be a positive number of pixels, got {sigma}")
        self.sigma = sigma
        self._sums = (0.0, 0.0, 0.0)

    def update(self, pred: Tensor, target: Tensor | None = None, mask: Tensor | None = None) -> None:
        target = require(target, pred)
        weight = torch.ones(1, *pred.shape[-2:]) if mask is None else mask
        own, true = (fine_detail(frame, self.sigma) for frame in (pred, target))
        found = (own * true, true.square(), torch.ones_like(own))
        sums = (float((values * weight).sum(dtype=torch.float64)) for values in found)
        self._sums = tuple(old + new for old, new in zip(self._sums, sums))  # type: ignore[assignment]

    def finish(self) -> Sums:
        """(sum of products, energy of the target, number of values)."""
        sums, self._sums = self._sums, (0.0, 0.0, 0.0)
        return sums

    @staticmethod
    def value(sums: Sums) -> float:
        """0 too where the detail is the opposite of the truth's."""
        return max(sums[0] / sums[1], 0.0) ** 2 if sums[2] and sums[1] / sums[2] > FLOOR else math.nan

    @staticmethod
    def reason(sums: Sums) -> str:
        return "the reference has no fine detail" if sums[2] else "no pixel counts: the mask is empty"
