"""Detail K: is it as sharp as the truth? K coarse: has it as much texture?"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..functional import Motion
from ..functional.gaussian import smooth
from .base import FLOOR, Meter, Picture, as_float, squared_distance, weight_of

SIGMA = 1.0
"""Standard deviation in pixels of the Gaussian that is taken away: what is left has periods of 2 to some 8 pixels."""


def fine_detail(frame: Tensor, sigma: float = SIGMA, finest: float = 0.0) -> Tensor:
    """G_finest * v - G_sigma * v of a (C, H, W) frame, G Gaussians of so many pixels (of 0: v itself), float32.

    Of a sinusoid of frequency w (radians per pixel) 1 - exp(-sigma^2 w^2 / 2) remains: .99 at a period of 2 pixels, .71
    at 4, .27 at 8, .07 at 16. That is where a blur of about a pixel acts, and what makes a picture look sharp.
    """
    return torch.sub(*_smoothed(frame, sigma, finest))


def detail_energy(frame: Tensor, sigma: float, finest: float = 0.0) -> float:
    """Sum of the squares of `fine_detail`."""
    return squared_distance(*_smoothed(frame, sigma, finest))


def _smoothed(frame: Tensor, sigma: float, finest: float) -> tuple[Tensor, Tensor]:
    values = as_float(frame).float()
    return smooth(values, finest), smooth(values, sigma)


def energy(values: Tensor, mask: Tensor | None) -> float:
    """Sum of squares, each as much as the mask says."""
    squares = values.square()
    return float((squares if mask is None else squares * mask).sum(dtype=torch.float64))


class DetailSums(NamedTuple):
    """Sums of K.

    Attributes:
        energy, target_energy: Of the fine detail of the clip and of the reference.
        weight: How many values count.
    """

    energy: float
    target_energy: float
    weight: float


class DetailMeter(Meter[DetailSums]):
    """Detail K = sum m |h f|^2 / sum m |h y|^2, h the spatial high-pass `fine_detail`: an energy ratio.

    1: as much fine detail as the truth, 0: a blur, above 1: sharper than the truth, or noisy. That the detail is the
    right one it does not say: PSNR does.

    Args:
        sigma: Standard deviation of the high-pass in pixels.

    Example:
        >>> meter, truth = DetailMeter(), torch.rand(3, 16, 16)
        >>> meter.update(2 * truth, truth)
        >>> round(DetailMeter.value(meter.finish()), 3)
        4.0
    """

    name, metric, title, spec, better = "K", "SpatialDetail", "K", ".3f", "near 1"
    ideal = 1.0
    about = "fine detail kept: 1 is as sharp as the truth, 0 a blur, above 1 sharper or noisy"
    nothing = DetailSums(0.0, 0.0, 0.0)

    finest = 0.0

    def __init__(self, sigma: float = SIGMA) -> None:
        if not sigma > 0:
            raise ValueError(f"sigma must be a positive number of pixels, got {sigma}")
        super().__init__()
        self.sigma = sigma

    def measure(self, pred: Picture, target: Picture, mask: Tensor | None, motion: Motion | None) -> DetailSums:
        band = self.sigma, self.finest
        if mask is None:
            own, true = (picture.once(detail_energy, *band) for picture in (pred, target))
        else:
            own, true = (energy(picture.once(fine_detail, *band), mask) for picture in (pred, target))
        return DetailSums(own, true, weight_of(mask, pred.values))

    @classmethod
    def value(cls, sums: DetailSums) -> float:
        if not sums.weight or not sums.target_energy / sums.weight > FLOOR:
            return math.nan
        return sums.energy / sums.target_energy

    @classmethod
    def reason(cls, sums: DetailSums) -> str:
        return "the reference has no fine detail" if sums.weight else "no pixel counts: the mask is empty"


class CoarseDetailMeter(DetailMeter):
    """K coarse: K of the detail that is an octave coarser, G_1 * v - G_2 * v, with periods of some 5 to 15 pixels.

    Where a network has made pale patches of texture, their sharp rims may keep K up, and this falls. It is an energy as
    K is: patches of much contrast have enough of it.

    Example:
        >>> meter, truth = CoarseDetailMeter(), torch.rand(3, 16, 16)
        >>> meter.update(2 * truth, truth)
        >>> round(CoarseDetailMeter.value(meter.finish()), 3)
        4.0
    """

    name, metric, title, default = "K_coarse", "CoarseDetail", "K coarse", False
    about = "detail an octave coarser than K's, with periods of some 5 to 15 pixels"
    finest = SIGMA

    def __init__(self) -> None:
        super().__init__(2 * SIGMA)
