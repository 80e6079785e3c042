"""The paper's temporal smoothness S (Eq. 9-10) and the temporal residual R.

D(v) = |v - G_sigma * v|^2 is the energy above the low temporal frequencies (`functional.temporal`):

    S = sqrt( sum D(y) / sum D(f(x)) )         is it smooth?  1: as smooth as the truth
    R = sqrt( sum D(f(x) - y) / sum D(y) )     does it move as the truth moves?  0: perfectly, 1: a constant video

The high-pass is linear, so that D(f(x) - y) needs no third filter.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..functional import Motion
from ..functional.temporal import SIGMA, Piece, TemporalHighpass
from .base import FLOOR, Clip, Meter, Picture, weight_of


class EnergySums(NamedTuple):
    """Sums of energies D.

    Attributes:
        target, error: Of the reference, and of the difference to it; nan without one.
        pred: Of the clip.
        weight: How many values count.
    """

    target: float
    pred: float
    error: float
    weight: float


class TemporalEnergyMeter(Meter[EnergySums]):
    """Sums the energies D that S and R are made of, and of a clip without a reference the root of their mean.

    Args:
        fps: Frames per second.
        sigma: Standard deviation of the temporal Gaussian in seconds.

    `map` and `curve` are the root mean square of the high-pass: of the error, or of the clip itself if
    there is no reference.

    Example:
        >>> meter = TemporalEnergyMeter(fps=24)
        >>> for number in range(40):  # brighter in every other frame
        ...     meter.update(torch.full((3, 8, 8), 0.1 * (number % 2)))
        >>> round(TemporalEnergyMeter.value(meter.finish()), 3)
        0.05
    """

    name, metric, title, spec = "fast_changes", "TemporalEnergy", "fast changes", ".5f"
    reference, pictured = "unused", True
    about = "root mean square of what changes fast, at a fixed pixel"

    nothing = EnergySums(0.0, 0.0, 0.0, 0.0)

    def __init__(self, fps: float, sigma: float = SIGMA) -> None:
        self._pred, self._target = TemporalHighpass(fps, sigma), TemporalHighpass(fps, sigma)
        self._map = np.zeros((0, 0))
        super().__init__()

    @classmethod
    def of_clip(cls, clip: Clip, **options: Any) -> TemporalEnergyMeter:
        return cls(clip.fps, **options)

    @classmethod
    def summed_by(cls) -> type[Meter]:
        return TemporalEnergyMeter

    def _begin(self) -> None:
        super()._begin()
        self._masks: deque[tuple[Tensor | None, float]] = deque()  # and what they come to
        self._shape: torch.Size | None = None
        self._squares = torch.zeros(0, dtype=torch.float64)  # summed over frames
        self._frames = 0

    def measure(self, pred: Picture, target: Picture | None, mask: Tensor | None, motion: Motion | None) -> None:
        """Holds the frame until its window is complete."""
        if self._shape is None:
            self._shape, self._alone = pred.shape, target is None
            self._squares = torch.zeros(pred.values.numel() if self.keep else 0, dtype=torch.float64)
        self._masks.append((mask, weight_of(mask, pred.values)))
        targets = repeat(None) if target is None else self._target.push(target.values)
        self._sum_up(zip(self._pred.push(pred.values), targets))

    def finish(self) -> EnergySums:
        self._map = np.zeros((0, 0))
        if self._shape is not None:
            self._sum_up(zip(self._pred.flush(), repeat(None) if self._alone else self._target.flush()))
            if self.keep:
                self._map = (self._squares.view(self._shape).mean(dim=0) / self._frames).sqrt().numpy()
        return super().finish()

    def _sum_up(self, pairs: Iterable[tuple[Piece, Piece | None]]) -> None:
        """Adds the energies of frames, which come in pieces of some frames, one after another."""
        masks: list[tuple[Tensor | None, float]] = []
        energies = torch.zeros(3, 0, dtype=torch.float64)
        for (frames, values, pred), other in pairs:
            if values.start == 0:
                self._add_frames(energies, masks)
                masks = [self._masks.popleft() for _ in range(frames.start, frames.stop)]
                energies = torch.zeros(3, len(masks), dtype=torch.float64)
            weight = _weight([mask for mask, _ in masks], values)
            target = None if other is None else other.highpass
            found = [pred] if target is None else [pred, target, pred - target]
            # each frame's sum by one thread, so that their number does not matter
            for total, part in zip(energies, found):
                total += torch.linalg.vecdot(part, part if weight is None else part * weight)
            if self.keep:
                squares = found[-1].square()
                self._squares[values] += (squares if weight is None else squares * weight).sum(dim=0)
        self._add_frames(energies, masks)

    def _add_frames(self, energies: Tensor, masks: Sequence[tuple[Tensor | None, float]]) -> None:
        if not masks:
            return
        for pred, target, error, (_, weight) in zip(*energies.tolist(), masks):
            if self._alone:
                target = error = math.nan
            self.add(EnergySums(target, pred, error, weight))
        self._frames += len(masks)

    def map(self) -> np.ndarray:
        return self._map

    @classmethod
    def value(cls, sums: EnergySums) -> float:
        return math.sqrt(sums.pred / sums.weight) if sums.weight else math.nan

    @classmethod
    def curve(cls, series: Sequence[EnergySums]) -> np.ndarray:
        errors = [sums.pred if math.isnan(sums.error) else sums.error for sums in series]
        return np.array([math.sqrt(e / s.weight) if s.weight else math.nan for e, s in zip(errors, series)])

    @classmethod
    def reason(cls, sums: EnergySums) -> str:
        if sums.weight == 0:
            return "no pixel counts: the mask is empty"
        return "neither the clip nor the reference changes fast anywhere"


class SmoothnessMeter(TemporalEnergyMeter):
    """S = sqrt(sum D(y) / sum D(f(x))), Eq. 10. Infinite for a constant clip, whose energy is below `FLOOR`.

    Example:
        >>> meter = SmoothnessMeter(fps=24)
        >>> for truth in torch.rand(40, 3, 8, 8):
        ...     meter.update(2 * truth, truth)
        >>> round(SmoothnessMeter.value(meter.finish()), 3)
        0.5
    """

    name, metric, title, spec = "S", "TemporalSmoothness", "S", ".3f"
    better, reference, ideal = "near 1", "needed", 1.0
    about = "the paper's smoothness, at a fixed pixel: above 1 smoother than the truth"

    @classmethod
    def value(cls, sums: EnergySums) -> float:
        return _ratio(sums.target, sums.pred, sums.weight)


class ResidualMeter(TemporalEnergyMeter):
    """R = sqrt(sum D(f(x) - y) / sum D(y)). 0 without error; infinite for an error over a constant reference.

    Example:
        >>> meter = ResidualMeter(fps=24)
        >>> for truth in torch.rand(40, 3, 8, 8):
        ...     meter.update(torch.zeros(3, 8, 8), truth)  # a frozen clip
        >>> round(ResidualMeter.value(meter.finish()), 3)
        1.0
    """

    name, metric, title, spec = "R", "TemporalResidual", "R", ".3f"
    better, reference, ideal = "lower", "needed", 0.0
    about = "fast changes of the error, at a fixed pixel: 0 is perfect, 1 what a frozen clip gets"

    @classmethod
    def value(cls, sums: EnergySums) -> float:
        return _ratio(sums.error, sums.target, sums.weight)


def _ratio(numerator: float, denominator: float, weight: float) -> float:
    """The root of a ratio of energies, of which what is mere rounding counts as nothing."""
    least = FLOOR * weight
    if denominator <= least:
        return math.nan if numerator <= least else math.inf
    return math.sqrt(numerator / denominator)


def _weight(masks: Sequence[Tensor | None], values: slice) -> Tensor | None:
    """(frames, values) of (1 or C, H, W) masks, of which the first stands for all channels; None: all 1."""
    given = [mask for mask in masks if mask is not None]
    if not given:
        return None
    indices = torch.arange(values.start, values.stop) % given[0].numel()
    return torch.stack([torch.ones(len(indices)).to(given[0]) if m is None else m.flatten()[indices] for m in masks])


def temporal_energies(
    pred: Tensor, target: Tensor, fps: float, sigma: float = SIGMA, *, mask: Tensor | None = None
) -> EnergySums:
    """Sums of `TemporalEnergyMeter` of two (T, C, H, W) clips; `mask` is (T, 1 or C, H, W) or None.

    Raises:
        ValueError: If the clips' shapes differ, or they are empty.
    """
    if target.shape != pred.shape:
        raise ValueError(f"prediction {tuple(pred.shape)} and target {tuple(target.shape)} differ in shape")
    if len(pred) == 0:
        raise ValueError("a clip without frames has no smoothness")
    if mask is not None and (mask.ndim != pred.ndim or len(mask) != len(pred)):
        raise ValueError(f"mask {tuple(mask.shape)} does not fit a video of shape {tuple(pred.shape)}")
    meter = TemporalEnergyMeter(fps, sigma)
    for t in range(len(pred)):
        meter.update(pred[t], target[t], None if mask is None else mask[t])
    return meter.finish()


def smoothness(pred: Tensor, target: Tensor, fps: float, sigma: float = SIGMA, *, mask: Tensor | None = None) -> float:
    """S of Eq. 10 for (T, C, H, W) clips of any range. Above 1: smoother than the target."""
    return SmoothnessMeter.value(temporal_energies(pred, target, fps, sigma, mask=mask))


def temporal_residual(
    pred: Tensor, target: Tensor, fps: float, sigma: float = SIGMA, *, mask: Tensor | None = None
) -> float:
    """R = sqrt(sum D(pred - target) / sum D(target)) for (T, C, H, W) clips. 0 is perfect."""
    return ResidualMeter.value(temporal_energies(pred, target, fps, sigma, mask=mask))
