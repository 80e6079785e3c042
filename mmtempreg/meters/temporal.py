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
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..functional.temporal import SIGMA, Piece, TemporalHighpass
from .base import FLOOR, Clip, Meter, Sums, require


class TemporalEnergyMeter(Meter):
    """Sums the energies D that S and R are made of, and of a clip without a reference the root of their mean.

    Args:
        fps: Frames per second.
        sigma: Standard deviation of the temporal Gaussian in seconds.
        maps: Keep `flicker_map` and `over_time` too, for pictures.

    Attributes:
        flicker_map: (H, W) root mean square over time of the high-pass: of the error, or of the clip itself if there is
            no reference.
        over_time: (T,) the same over the picture.

    Example:
        >>> meter = SmoothnessMeter(fps=24)
        >>> for frame, truth in zip(torch.rand(40, 3, 8, 8), torch.rand(40, 3, 8, 8)):
        ...     meter.update(frame, truth)
        >>> sums = meter.finish()
        >>> SmoothnessMeter.value(sums), ResidualMeter.value(sums)    # doctest: +SKIP
    """

    name, metric, title, spec = "fast_changes", "TemporalEnergy", "fast changes", ".5f"
    reference = "unused"
    about = "root mean square of what changes fast, at a fixed pixel"

    def __init__(self, fps: float, sigma: float = SIGMA, maps: bool = False) -> None:
        self._pred, self._target = TemporalHighpass(fps, sigma), TemporalHighpass(fps, sigma)
        self.maps = maps
        self._start()

    @classmethod
    def of_clip(cls, clip: Clip, **options: Any) -> TemporalEnergyMeter:
        return cls(clip.fps, **options)

    @classmethod
    def summed_by(cls) -> type[Meter]:
        return TemporalEnergyMeter

    def _start(self) -> None:
        self._masks: deque[Tensor | None] = deque()
        self._sums: Sums = (0.0, 0.0, 0.0, 0.0)
        self._size: tuple[int, int] | None = None
        self._map = torch.zeros(0, dtype=torch.float64)  # squares, summed over frames
        self._over_time: list[Tensor] = []  # squares, summed over values; of some frames each

    def update(self, pred: Tensor, target: Tensor | None = None, mask: Tensor | None = None) -> None:
        if target is not None:
            require(target, pred)
        if self._size is None:
            self._size = (pred.shape[-2], pred.shape[-1])
            self._map = torch.zeros(pred.numel() if self.maps else 0, dtype=torch.float64)
            self._alone = target is None
        self._masks.append(mask)
        count = pred.numel() if mask is None else float(mask.expand_as(pred).sum(dtype=torch.float64))
        self._sums = (*self._sums[:3], self._sums[3] + count)
        targets = repeat(None) if target is None else self._target.push(target)
        self._add(zip(self._pred.push(pred), targets))

    def finish(self) -> Sums:
        """(sum D(y), sum D(f(x)), sum D(f(x) - y), sum of weights); the first and third are 0 without a reference."""
        if self._size is not None:
            self._add(zip(self._pred.flush(), repeat(None) if self._alone else self._target.flush()))
        sums = self._sums
        if self.maps and self._size is not None:
            over_time = torch.cat(self._over_time)
            self.over_time = (over_time / len(self._map)).sqrt().numpy()
            self.flicker_map = (self._map.view(-1, *self._size).mean(dim=0) / len(over_time)).sqrt().numpy()
        elif self.maps:
            self.over_time, self.flicker_map = np.zeros(0), np.zeros((0, 0))
        self._start()
        return sums

    def _add(self, pairs: Iterable[tuple[Piece, Piece | None]]) -> None:
        masks: list[Tensor | None] = []
        for (frames, values, pred), other in pairs:
            if values.start == 0:
                masks = [self._masks.popleft() for _ in range(frames.start, frames.stop)]
                self._over_time.append(torch.zeros(frames.stop - frames.start, dtype=torch.float64))
            weight = _weight(masks, values)
            target = None if other is None else other.highpass
            video = _squares(pred, weight)
            error = video if target is None else _squares(pred - target, weight)
            # each frame's sum by one thread, so that their number does not matter
            of_frames = error.sum(dim=1)
            reference = 0.0 if target is None else float(_squares(target, weight).sum(dim=1).sum())
            energies = reference, float(video.sum(dim=1).sum()), 0.0 if target is None else float(of_frames.sum())
            self._sums = (*(total + energy for total, energy in zip(self._sums, energies)), self._sums[3])
            if self.maps:
                self._over_time[-1] += of_frames
                self._map[values] += error.sum(dim=0)

    @staticmethod
    def value(sums: Sums) -> float:
        return math.sqrt(sums[1] / sums[3]) if sums[3] else math.nan

    @staticmethod
    def reason(sums: Sums) -> str:
        if sums[3] == 0:
            return "no pixel counts: the mask is empty"
        return "neither the clip nor the reference changes fast anywhere"


class SmoothnessMeter(TemporalEnergyMeter):
    """S = sqrt(sum D(y) / sum D(f(x))), Eq. 10. Infinite for a constant clip, whose energy is below `FLOOR`."""

    name, metric, title, spec = "S", "TemporalSmoothness", "S", ".3f"
    better, reference, ideal = "near 1", "needed", 1.0
    about = "the paper's smoothness, at a fixed pixel: above 1 smoother than the truth"

    @staticmethod
    def value(sums: Sums) -> float:
        return _ratio(sums[0], sums[1], sums[3])


class ResidualMeter(TemporalEnergyMeter):
    """R = sqrt(sum D(f(x) - y) / sum D(y)). 0 without error; infinite for an error over a constant reference."""

    name, metric, title, spec = "R", "TemporalResidual", "R", ".3f"
    better, reference, ideal = "lower", "needed", 0.0
    about = "fast changes of the error, at a fixed pixel: 0 is perfect, 1 what a frozen clip gets"

    @staticmethod
    def value(sums: Sums) -> float:
        return _ratio(sums[2], sums[0], sums[3])


def _ratio(numerator: float, denominator: float, weight: float) -> float:
    """The root of a ratio of energies, of which what is mere rounding counts as nothing."""
    least = FLOOR * weight
    if denominator <= least:
        return math.nan if numerator <= least else math.inf
    return math.sqrt(numerator / denominator)


def _squares(highpass: Tensor, weight: Tensor | None) -> Tensor:
    return highpass.square() if weight is None else highpass.square() * weight


def _weight(masks: Sequence[Tensor | None], values: slice) -> Tensor | None:
    """(frames, values) of (1 or C, H, W) masks, of which the first stands for all channels; None: all 1."""
    given = [mask for mask in masks if mask is not None]
    if not given:
        return None
    indices = torch.arange(values.start, values.stop) % given[0].numel()
    return torch.stack([torch.ones(len(indices)).to(given[0]) if m is None else m.flatten()[indices] for m in masks])


def temporal_energies(
    pred: Tensor, target: Tensor, fps: float, sigma: float = SIGMA, mask: Tensor | None = None
) -> Sums:
    """What `TemporalEnergyMeter` sums up of two (T, C, H, W) clips; `mask` is (T, 1 or C, H, W) or None.

    Raises:
        ValueError: If the clips' shapes differ, or they are empty.
    """
    require(target, pred)
    if len(pred) == 0:
        raise ValueError("a clip without frames has no smoothness")
    if mask is not None and (mask.ndim != pred.ndim or len(mask) != len(pred)):
        raise ValueError(f"mask {tuple(mask.shape)} does not fit a video of shape {tuple(pred.shape)}")
    meter = TemporalEnergyMeter(fps, sigma)
    for t in range(len(pred)):
        meter.update(pred[t], target[t], None if mask is None else mask[t])
    return meter.finish()


def smoothness(pred: Tensor, target: Tensor, fps: float, sigma: float = SIGMA, mask: Tensor | None = None) -> float:
    """S of Eq. 10 for (T, C, H, W) clips of any range. Above 1: smoother than the target."""
    return SmoothnessMeter.value(temporal_energies(pred, target, fps, sigma, mask))


def temporal_residual(
    pred: Tensor, target: Tensor, fps: float, sigma: float = SIGMA, mask: Tensor | None = None
) -> float:
    """R = sqrt(sum D(pred - target) / sum D(target)) for (T, C, H, W) clips. 0 is perfect."""
    return ResidualMeter.value(temporal_energies(pred, target, fps, sigma, mask))
