"""Detail K: is it as sharp as the truth?"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from .base import FLOOR, Meter, Sums, require
from .flicker import smooth

SIGMA = 1.0
"""Standard deviation in pixels of the Gaussian that is taken away: what is left has periods of 2 to some 8 pixels."""


def fine_detail(frame: Tensor, sigma: float = SIGMA) -> Tensor:
    """v - G * v of a (C, H, W) frame, G a Gaussian of `sigma` pixels, float32.

    Of a sinusoid of frequency w (radians per pixel) 1 - exp(-sigma^2 w^2 / 2) remains: .99 at a period of 2 pixels, .71
    at 4, .27 at 8, .07 at 16. That is where a blur of about a pixel acts, and what makes a picture look sharp.
    """
    values = smooth(frame, 0)
    return values - smooth(values, sigma)


class DetailMeter(Meter):
    """Detail K = sum m |h f|^2 / sum m |h y|^2, h the spatial high-pass `fine_detail`: an energy ratio.

    1: as much fine detail as the truth, 0: a blur, above 1: sharper than the truth, or noisy. That the detail is the
    right one it does not say: PSNR does.

    Args:
        sigma: Standard deviation of the high-pass in pixels.
        each_frame: Keep `over_time` too, for pictures.

    Attributes:
        over_time: (frames,) K of each frame; nan where the reference has no detail. There after `finish`.
    """

    name, metric, title, spec, better = "K", "SpatialDetail", "K", ".3f", "near 1"
    ideal = 1.0
    about = "fine detail kept: 1 is as sharp as the truth, 0 a blur, above 1 sharper or noisy"

    def __init__(self, sigma: float = SIGMA, each_frame: bool = False) -> None:
        if not sigma > 0:
            raise ValueError(f"sigma must be a positive number of pixels, got {sigma}")
        self.sigma, self.each_frame = sigma, each_frame
        self._start()

    def _start(self) -> None:
        self._sums = (0.0, 0.0, 0.0)
        if self.each_frame:
            self._over_time: list[float] = []

    def update(self, pred: Tensor, target: Tensor | None = None, mask: Tensor | None = None) -> None:
        target = require(target, pred)
        weight = torch.ones(1, *pred.shape[-2:]) if mask is None else mask
        energies = [
            float((fine_detail(frame, self.sigma).square() * weight).sum(dtype=torch.float64))
            for frame in (pred, target)
        ]
        count = float(weight.expand_as(pred).sum(dtype=torch.float64))
        self._sums = (self._sums[0] + energies[0], self._sums[1] + energies[1], self._sums[2] + count)
        if self.each_frame:
            self._over_time.append(self.value((energies[0], energies[1], count)))

    def finish(self) -> Sums:
        """(energy of the prediction, of the target, number of values)."""
        sums = self._sums
        if self.each_frame:
            self.over_time = np.array(self._over_time)
        self._start()
        return sums

    @staticmethod
    def value(sums: Sums) -> float:
        return sums[0] / sums[1] if sums[2] and sums[1] / sums[2] > FLOOR else math.nan

    @staticmethod
    def reason(sums: Sums) -> str:
        return "the reference has no fine detail" if sums[2] else "no pixel counts: the mask is empty"
