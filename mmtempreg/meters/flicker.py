"""Flicker along the motion: the warping error E_warp, and F, that of the clip over that of the truth."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..functional import Motion, bring, lag_frames
from ..functional.gaussian import smooth
from ..functional.motion import seen
from .base import FLOOR, Clip, Meter, Picture, as_float

LOW_PASS = 0.7
"""Standard deviation in pixels of the Gaussian that frames are smoothed with before they are compared."""


def rounding_noise(peak: float) -> float:
    """Mean square of the difference of two frames that are equal but for their rounding to 8 bits: (peak / 255)^2 / 6.

    Rounding to steps of q is noise of q^2 / 12.
    """
    return (peak / 255) ** 2 / 6


def smoothed(frame: Tensor, sigma: float) -> Picture:
    """A frame in float32, smoothed by a Gaussian of `sigma` pixels, as a picture."""
    return Picture(smooth(as_float(frame).float(), sigma))


def change_along(then: Tensor, now: Picture, motion: Motion, interpolation: str) -> Tensor:
    """(H, W) mean over the channels of the squared change of two (smoothed) frames along the motion."""
    change = bring(then, motion, interpolation).sub_(now.values).square_()
    return change[0] if len(change) == 1 else change.mean(dim=0)


def _comparable(then: Tensor, motion: Motion, interpolation: str, margin: int) -> Tensor:
    """(H, W): what of a frame can be compared with an earlier one: 1 where it was seen, and all that is read for it; 0
    within `margin` pixels of the border, where a low-pass has seen mirrored pixels."""
    weight = seen(motion, interpolation)[0]
    if margin:
        for axis, length in enumerate(weight.shape):
            weight.narrow(axis, 0, min(margin, length)).zero_()
            weight.narrow(axis, max(length - margin, 0), min(margin, length)).zero_()
    return weight


class WarpSums(NamedTuple):
    """Sums over pairs of frames.

    Attributes:
        error, target_error: E_warp of the clip and of the reference (nan without one).
        pairs: How many pairs there are with a pixel that counts.
        all_pairs: How many there are.
        noise: `rounding_noise` of each pair that counts.
    """

    error: float
    target_error: float
    pairs: float
    all_pairs: float
    noise: float


class _Held(NamedTuple):
    pictures: list[Picture]
    mask: Tensor | None


class WarpErrorMeter(Meter[WarpSums]):
    """Warping error: how much a clip changes along the motion.

        E_warp = mean over pairs of frames of  sum m |f_t - W f_(t-lag)|^2 / sum m,

    a mean of squares per channel. W brings an earlier frame along the motion; m is 1 where a pixel was seen then, times
    the mask's smaller value in the two frames. What moves rigidly has no warping error.

    Interpolation blurs. So that a sharp picture is not called unsteady for it, W is Lanczos' of 8x8 pixels, and all
    frames are smoothed by a Gaussian of `LOW_PASS` pixels first: of lines of 0.7 pixels that move by known fractions
    of a pixel there remains less than a sixtieth of what bilinear interpolation leaves (tests/meters/test_flicker.py).
    With `interpolation='bilinear', low_pass=0` it is the measure of Lai et al. 2018, of the way back in time.

    Args:
        lag: Frames between the two of a pair.
        interpolation: 'lanczos' or 'bilinear'.
        low_pass: Standard deviation in pixels; 0: none.
        peak: Width of the range of values.

    `latest` is the change along the motion, `map` its root mean square over pairs.

    Example:
        >>> meter, still = WarpErrorMeter(), Motion(torch.zeros(2, 16, 16), torch.ones(1, 16, 16))
        >>> for number in range(4):  # brighter in every other frame
        ...     meter.update(torch.full((3, 16, 16), 0.1 * (number % 2)), motion=still if number else None)
        >>> round(WarpErrorMeter.value(meter.finish()), 4)
        0.01
    """

    name, metric, title, spec = "warp_error", "WarpError", "E_warp", ".3g"
    reference, needs_motion, lagged, pictured = "optional", True, True, True
    about = "change from frame to frame, along the motion (mean of squares)"
    nothing = WarpSums(0.0, 0.0, 0.0, 0.0, 0.0)

    def __init__(
        self,
        lag: int = 1,
        interpolation: str = "lanczos",
        low_pass: float = LOW_PASS,
        peak: float = 1.0,
    ) -> None:
        if lag < 1 or low_pass < 0:
            raise ValueError(f"lag must be 1 frame at least, and low_pass not negative: got {lag} and {low_pass}")
        self.lag, self.interpolation, self.low_pass = lag, interpolation, low_pass
        self.noise = rounding_noise(peak)
        self._map = np.zeros((0, 0))
        super().__init__()

    @classmethod
    def of_clip(cls, clip: Clip, lag: float | None = None, **options: Any) -> WarpErrorMeter:
        """`lag` is in seconds here, None: one frame."""
        return cls(lag_frames(lag, clip.fps), peak=clip.peak, **options)

    @classmethod
    def summed_by(cls) -> type[Meter]:
        return WarpErrorMeter

    def _begin(self) -> None:
        super()._begin()
        self._held: deque[_Held] = deque()
        self._squares = self._weights = torch.zeros(0, 0)  # summed over pairs
        self._latest: tuple[list[Tensor], Tensor] | None = None

    def measure(self, pred: Picture, target: Picture | None, mask: Tensor | None, motion: Motion | None) -> WarpSums:
        """Compares with the frame `lag` before, along the motion from there.

        Raises:
            ValueError: If the motion is missing, or of another size.
        """
        now = _Held([p.once(smoothed, self.low_pass) for p in (pred, target) if p is not None], mask)
        self._latest = None
        if len(self._held) < self.lag:
            self._held.append(now)
            return self.nothing
        if motion is None or motion.flow.shape[-2:] != pred.shape[-2:]:
            got = "none" if motion is None else f"one of {tuple(motion.flow.shape[-2:])} pixels"
            raise ValueError(f"the motion from {self.lag} frames before to a frame of {tuple(pred.shape)} is {got}")
        self._held.append(now)
        return self._compare(self._held.popleft(), now, motion)

    def _compare(self, then: _Held, now: _Held, motion: Motion) -> WarpSums:
        weight = then.pictures[-1].once(_comparable, motion, self.interpolation, math.ceil(3 * self.low_pass))
        if now.mask is not None and then.mask is not None:
            # of channels one mask: which weighs a pixel
            masks = [m.amin(dim=0).float() for m in (now.mask, bring(then.mask.float(), motion, "bilinear"))]
            weight = weight * torch.minimum(*masks)
        self._latest = errors, weight = (
            [
                before.once(change_along, after, motion, self.interpolation) * weight
                for before, after in zip(then.pictures, now.pictures)
            ],
            weight,
        )
        if self.keep:
            if not self._weights.numel():
                self._squares, self._weights = torch.zeros(2, *weight.shape)
            self._squares += errors[0]
            self._weights += weight
        count = float(weight.sum(dtype=torch.float64))
        if count == 0:
            return self.nothing._replace(all_pairs=1.0)
        error, of_target = [*(float(e.sum(dtype=torch.float64)) / count for e in errors), math.nan][:2]
        return WarpSums(error, of_target, 1.0, 1.0, self.noise)

    def finish(self) -> WarpSums:
        if self.keep:
            means = self._squares / self._weights.clamp(min=1e-12)
            self._map = torch.where(self._weights > 0, means, torch.nan).sqrt().numpy()
        return super().finish()

    def map(self) -> np.ndarray:
        return self._map

    def latest(self) -> Tensor | None:
        if self._latest is None:
            return None
        errors, weight = self._latest
        return torch.where(weight > 0, torch.stack(errors).sqrt(), torch.nan)

    @classmethod
    def value(cls, sums: WarpSums) -> float:
        return sums.error / sums.pairs if sums.pairs else math.nan

    @classmethod
    def of_target(cls, sums: WarpSums) -> float:
        return sums.target_error / sums.pairs if sums.pairs else math.nan

    @classmethod
    def reason(cls, sums: WarpSums) -> str:
        if sums.all_pairs == 0:
            return "the clip is no longer than the lag: there is no pair of frames"
        return "no pixel of any pair of frames counts: the motion is unknown, or the mask is empty in one of the two"


class FlickerMeter(WarpErrorMeter):
    """Flicker F = sqrt((E_warp(f) + e) / (E_warp(y) + e)) along the motion, `WarpErrorMeter`.

    1: as steady as the truth; above 1 it flickers; below 1 it changes less than the truth does. A blur has a small F
    too: look at K beside it.

    e is the noise of rounding to 8 bits, (peak / 255)^2 / 6 (`rounding_noise`). A recorded truth changes by far more
    than that, and e changes nothing. One that moves rigidly, as a pan over a picture does, changes by what
    interpolation leaves alone, and without e the ratio would measure that: with it, it counts as steady as 8 bits can
    hold.

    Example:
        >>> meter, still = FlickerMeter(), Motion(torch.zeros(2, 16, 16), torch.ones(1, 16, 16))
        >>> for number in range(4):  # twice as unsteady as the truth
        ...     truth = torch.full((3, 16, 16), 0.1 * (number % 2))
        ...     meter.update(2 * truth, truth, motion=still if number else None)
        >>> round(FlickerMeter.value(meter.finish()), 2)
        2.0
    """

    name, metric, title, spec = "F", "TemporalFlicker", "F", ".2f"
    better, reference, ideal = "near 1", "needed", 1.0
    about = "flicker along the motion: 1 is as steady as the truth, above 1 flickers"

    @classmethod
    def value(cls, sums: WarpSums) -> float:
        if sums.pairs == 0 or not sums.target_error / sums.pairs > FLOOR:
            return math.nan
        return math.sqrt((sums.error + sums.noise) / (sums.target_error + sums.noise))

    @classmethod
    def reason(cls, sums: WarpSums) -> str:
        if sums.pairs == 0:
            return WarpErrorMeter.reason(sums)
        return "the reference does not change along its motion at all: there is nothing to compare with (see E_warp)"

    @classmethod
    def of_target(cls, sums: WarpSums) -> float:
        return math.nan if math.isnan(cls.value(sums)) else 1.0

    @classmethod
    def beside(cls, sums: WarpSums) -> dict[str, float]:
        title = WarpErrorMeter.title
        return {title: WarpErrorMeter.value(sums), f"{title}_truth": WarpErrorMeter.of_target(sums)}


NOTICEABLE = 0.95
"""Flickering more than this many times as much as before is no improvement."""


def flicker_ratio(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    """Ratio by which clips flicker more: the geometric mean of the ratios of F, and the upper end of its range.

    The upper end is two standard errors above the mean: what differs from clip to clip is no improvement.

    Args:
        before, after: F of the same clips.
    """
    logs = [math.log(b / a) for a, b in zip(before, after, strict=True) if a > 0 and b > 0]
    if len(logs) < 2:
        return math.nan, math.inf
    mean, error = np.mean(logs), np.std(logs, ddof=1) / len(logs) ** 0.5
    return math.exp(mean), math.exp(mean + 2 * error)


def flickers_less(before: Sequence[float], after: Sequence[float]) -> bool:
    """True if clips flicker noticeably less, by more than what differs from clip to clip."""
    ratio, upper = flicker_ratio(before, after)
    return ratio <= NOTICEABLE and upper < 1
