"""Colour distribution consistency (CDC)."""

from __future__ import annotations

import math
from collections import deque

import torch
from torch import Tensor

from .base import Meter, Sums, as_float


class ColorDistributionMeter(Meter):
    """Colour distribution consistency CDC (Liu et al. 2021, `cdc.py`): do the colours stay the same over time?

    Mean over d in (1, 2, 4), over the three channels and over pairs of frames i, i+d of the Jensen-Shannon divergence
    (natural logarithm) between their normalised histograms of 256 bins. 0: the histograms do not change. It needs no
    reference, and grey video scores well.
    """

    name, metric, title, spec = "cdc", "ColorDistributionConsistency", "CDC", ".5f"
    reference, display = "unused", True
    about = "do the histograms of R, G and B stay the same?"

    STEPS = (1, 2, 4)

    def __init__(self) -> None:
        self._histograms: deque[Tensor] = deque(maxlen=max(self.STEPS))
        self._sums = [0.0] * 2 * len(self.STEPS)

    def update(self, pred: Tensor, target: Tensor | None = None, mask: Tensor | None = None) -> None:
        levels = (as_float(pred) * 255).round().clamp(0, 255).flatten(1)
        histogram = torch.stack([torch.histc(channel, 256, 0, 256) for channel in levels]).double()
        histogram /= histogram.sum(dim=1, keepdim=True)
        for k, step in enumerate(self.STEPS):
            if len(self._histograms) >= step:
                self._sums[2 * k] += float(jensen_shannon(self._histograms[-step], histogram).mean())
                self._sums[2 * k + 1] += 1
        self._histograms.append(histogram)

    def finish(self) -> Sums:
        """For every step: the sum over pairs, the number of pairs."""
        sums, self._sums = tuple(self._sums), [0.0] * 2 * len(self.STEPS)
        self._histograms.clear()
        return sums

    @staticmethod
    def value(sums: Sums) -> float:
        means = [total / pairs if pairs else math.nan for total, pairs in zip(sums[::2], sums[1::2])]
        return sum(means) / len(means)

    @staticmethod
    def reason(sums: Sums) -> str:
        return "it needs 5 frames"


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence of distributions along the last dimension, in nats: 0 to ln 2."""
    middle = (p + q) / 2
    return sum(torch.special.xlogy(d, d).sum(-1) - torch.special.xlogy(d, middle).sum(-1) for d in (p, q)) / 2  # type: ignore[return-value]
