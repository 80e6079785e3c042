"""Colour distribution consistency (CDC)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from ..functional import Motion, lag_frames
from .base import Clip, Meter, Picture, as_float


class ColorSums(NamedTuple):
    """Sums of CDC, for each distance in time.

    Attributes:
        changes: Of the divergences over pairs of frames.
        target_changes: The same of the reference; nan without one.
        pairs: How many pairs there are.
    """

    changes: tuple[float, ...]
    target_changes: tuple[float, ...]
    pairs: tuple[float, ...]


class ColorDistributionMeter(Meter[ColorSums]):
    """Colour distribution consistency CDC (Liu et al. 2021, `cdc.py`): do the colours stay the same over time?

    Mean over d in (1, 2, 4), over the three channels and over pairs of frames i, i+d of the Jensen-Shannon divergence
    (natural logarithm) between their normalised histograms of 256 bins. 0: the histograms do not change. It needs no
    reference, and grey video scores well: what a reference has itself stands beside it.

    Args:
        lag: One d in frames instead of the authors' three, for what drifts slowly.

    Example:
        >>> meter, frame = ColorDistributionMeter(), torch.rand(3, 16, 16)
        >>> for _ in range(6):
        ...     meter.update(frame)
        >>> ColorDistributionMeter.value(meter.finish())
        0.0
    """

    name, metric, title, spec = "cdc", "ColorDistributionConsistency", "CDC", ".5f"
    reference, display, lagged = "optional", True, True
    about = "do the histograms of R, G and B stay the same?"

    STEPS = (1, 2, 4)

    def __init__(self, lag: int | None = None) -> None:
        if lag is not None and lag < 1:
            raise ValueError(f"lag must be 1 frame at least, or None for {self.STEPS}, got {lag}")
        self.steps = self.STEPS if lag is None else (lag,)
        none = (0.0,) * len(self.steps)
        self.nothing = ColorSums(none, none, none)
        self._histograms: deque[list[Tensor]] = deque(maxlen=max(self.steps))
        super().__init__()

    @classmethod
    def of_clip(cls, clip: Clip, lag: float | None = None, **options: Any) -> ColorDistributionMeter:
        """`lag` is in seconds here."""
        return cls(None if lag is None else lag_frames(lag, clip.fps), **options)

    def measure(self, pred: Picture, target: Picture | None, mask: Tensor | None, motion: Motion | None) -> ColorSums:
        now = [picture.once(histograms) for picture in (pred, target) if picture is not None]
        changes, of_targets, pairs = [], [], []
        for step in self.steps:
            there = len(self._histograms) >= step
            pair = zip(self._histograms[-step], now) if there else []
            change, of_target = [*(float(jensen_shannon(*both).mean()) for both in pair), math.nan, math.nan][:2]
            changes.append(change if there else 0.0)
            of_targets.append(of_target if there else 0.0)
            pairs.append(float(there))
        self._histograms.append(now)
        return ColorSums(tuple(changes), tuple(of_targets), tuple(pairs))

    def finish(self) -> ColorSums:
        self._histograms.clear()
        return super().finish()

    @classmethod
    def value(cls, sums: ColorSums) -> float:
        return _mean(sums.changes, sums.pairs)

    @classmethod
    def of_target(cls, sums: ColorSums) -> float:
        return _mean(sums.target_changes, sums.pairs)

    @classmethod
    def reason(cls, sums: ColorSums) -> str:
        return "it needs 5 frames" if len(sums.pairs) > 1 else "the clip is no longer than the lag"

    @classmethod
    def beside(cls, sums: ColorSums) -> dict[str, float]:
        return {"truth": cls.of_target(sums)}


def _mean(sums: Sequence[float], pairs: Sequence[float]) -> float:
    return sum(total / count if count else math.nan for total, count in zip(sums, pairs)) / len(sums)


def histograms(image: Tensor) -> Tensor:
    """(C, H, W) display values to (C, 256) shares of the pixels."""
    levels = image if image.dtype == torch.uint8 else (as_float(image) * 255).round().clamp(0, 255).byte()
    counts = [cv2.calcHist([channel], [0], None, [256], [0, 256]) for channel in levels.contiguous().numpy()]
    return torch.from_numpy(np.stack(counts)).double().flatten(1) / levels[0].numel()


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence of distributions along the last dimension, in nats: 0 to ln 2."""
    middle = (p + q) / 2
    return sum(torch.special.xlogy(d, d).sum(-1) - torch.special.xlogy(d, middle).sum(-1) for d in (p, q)) / 2  # type: ignore[return-value]
