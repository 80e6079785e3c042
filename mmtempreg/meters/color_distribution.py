"""Colour distribution consistency (CDC)."""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import torch
from torch import Tensor

from ..functional import lag_frames
from .base import Clip, Meter, Sums, as_float


class ColorDistributionMeter(Meter):
    """Colour distribution consistency CDC (Liu et al. 2021, `cdc.py`): do the colours stay the same over time?

    Mean over d in (1, 2, 4), over the three channels and over pairs of frames i, i+d of the Jensen-Shannon divergence
    (natural logarithm) between their normalised histograms of 256 bins. 0: the histograms do not change. It needs no
    reference, and grey video scores well: what a reference has itself stands beside it.

    Args:
        lag: One d in frames instead of the authors' three, for what drifts slowly.
    """

    name, metric, title, spec = "cdc", "ColorDistributionConsistency", "CDC", ".5f"
    reference, display, lagged = "optional", True, True
    about = "do the histograms of R, G and B stay the same?"

    STEPS = (1, 2, 4)

    def __init__(self, lag: int | None = None) -> None:
        if lag is not None and lag < 1:
            raise ValueError(f"lag must be 1 frame at least, or None for {self.STEPS}, got {lag}")
        self.steps = self.STEPS if lag is None else (lag,)
        self._histograms: deque[Tensor] = deque(maxlen=max(self.steps))
        self._sums = torch.zeros(len(self.steps), 3, dtype=torch.float64)

    @classmethod
    def of_clip(cls, clip: Clip, lag: float | None = None, **options: Any) -> ColorDistributionMeter:
        """`lag` is in seconds here."""
        return cls(None if lag is None else lag_frames(lag, clip.fps), **options)

    def update(self, pred: Tensor, target: Tensor | None = None, mask: Tensor | None = None) -> None:
        clips = [pred] if target is None else [pred, target]
        now = torch.stack([histograms(frame) for frame in clips])
        for k, step in enumerate(self.steps):
            if len(self._histograms) >= step:
                change, of_target = [*jensen_shannon(self._histograms[-step], now).mean(dim=-1), math.nan][:2]
                self._sums[k] += torch.tensor([change, 1.0, of_target], dtype=torch.float64)
        self._histograms.append(now)

    def finish(self) -> Sums:
        """For every d: the sum over pairs, the number of pairs, the sum for the target (nan without one)."""
        sums = tuple(self._sums.flatten().tolist())
        self._sums.zero_()
        self._histograms.clear()
        return sums

    @staticmethod
    def value(sums: Sums) -> float:
        return _mean(sums[::3], sums[1::3])

    @classmethod
    def of_target(cls, sums: Sums) -> float:
        return _mean(sums[2::3], sums[1::3])

    @staticmethod
    def reason(sums: Sums) -> str:
        return "it needs 5 frames" if len(sums) > 3 else "the clip is no longer than the lag"

    @staticmethod
    def beside(sums: Sums) -> dict[str, float]:
        return {"truth": ColorDistributionMeter.of_target(sums)}


def _mean(sums: Sums, pairs: Sums) -> float:
    return sum(total / count if count else math.nan for total, count in zip(sums, pairs)) / len(sums)


def histograms(image: Tensor) -> Tensor:
    """(C, H, W) display values to (C, 256) shares of the pixels."""
    levels = (as_float(image) * 255).round().clamp(0, 255).flatten(1)
    counts = torch.stack([torch.histc(channel, 256, 0, 256) for channel in levels]).double()
    return counts / counts.sum(dim=1, keepdim=True)


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence of distributions along the last dimension, in nats: 0 to ln 2."""
    middle = (p + q) / 2
    return sum(torch.special.xlogy(d, d).sum(-1) - torch.special.xlogy(d, middle).sum(-1) for d in (p, q)) / 2  # type: ignore[return-value]
