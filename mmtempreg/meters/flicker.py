"""Flicker along the motion: the warping error E_warp, and F, that of the clip over that of the truth."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from ..functional import Motion, bring, lag_frames
from ..functional.motion import seen
from .base import FLOOR, Clip, Meter, Sums, as_float, require

LOW_PASS = 0.7
"""Standard deviation in pixels of the Gaussian that frames are smoothed with before they are compared."""


def rounding_noise(peak: float) -> float:
    """Mean square of the difference of two frames that are equal but for their rounding to 8 bits: (peak / 255)^2 / 6.

    Rounding to steps of q is noise of q^2 / 12.
    """
    return (peak / 255) ** 2 / 6


def smooth(frame: Tensor, sigma: float) -> Tensor:
    """A Gaussian of `sigma` pixels over a (C, H, W) frame, in float32; 0: as it is. Borders are mirrored."""
    frame = as_float(frame).float().contiguous()
    if sigma == 0:
        return frame
    size = 2 * math.ceil(4 * sigma) + 1
    planes = [cv2.GaussianBlur(p, (size, size), sigma, borderType=cv2.BORDER_REFLECT_101) for p in frame.numpy()]
    return torch.from_numpy(np.stack(planes))


def _inner(frame: Tensor, margin: int) -> Tensor:
    """(1, H, W): 0 within `margin` pixels of the border, where a low-pass has seen mirrored pixels; else 1."""
    weight = torch.ones(1, *frame.shape[-2:])
    if margin:
        for axis in (-2, -1):
            length = frame.shape[axis]
            weight.narrow(axis, 0, min(margin, length)).zero_()
            weight.narrow(axis, max(length - margin, 0), min(margin, length)).zero_()
    return weight


class _Held(NamedTuple):
    pred: Tensor
    target: Tensor | None
    mask: Tensor | None


class WarpErrorMeter(Meter):
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
        maps: Keep `change_map` and `over_time` too, for pictures.

    Attributes:
        change_map: (H, W) root mean square over pairs of the change along the motion; nan where no pair shows any.
        over_time: (frames,) E_warp of the pair that ends with each frame; nan where there is none.
        target_over_time: The same of the target; nan without one.
        last_change: After each `update`: (1 or 2, H, W) change of the clip, and of the target, along the motion that
            ends with this frame, nan where none is known; None for the first frames.
    """

    last_change: Tensor | None = None

    name, metric, title, spec = "warp_error", "WarpError", "E_warp", ".3g"
    reference, needs_motion, lagged = "optional", True, True
    about = "change from frame to frame, along the motion (mean of squares)"

    def __init__(
        self,
        lag: int = 1,
        interpolation: str = "lanczos",
        low_pass: float = LOW_PASS,
        peak: float = 1.0,
        maps: bool = False,
    ) -> None:
        if lag < 1 or low_pass < 0:
            raise ValueError(f"lag must be 1 frame at least, and low_pass not negative: got {lag} and {low_pass}")
        self.lag, self.interpolation, self.low_pass, self.maps = lag, interpolation, low_pass, maps
        self.noise = rounding_noise(peak)
        self._start()

    @classmethod
    def of_clip(cls, clip: Clip, lag: float | None = None, **options: Any) -> WarpErrorMeter:
        """`lag` is in seconds here, None: one frame."""
        return cls(lag_frames(lag, clip.fps), peak=clip.peak, **options)

    @classmethod
    def summed_by(cls) -> type[Meter]:
        return WarpErrorMeter

    def _start(self) -> None:
        self._held: deque[_Held] = deque()
        self._sums: Sums = (0.0, 0.0, 0.0, 0.0, 0.0)
        self._map: tuple[Tensor, Tensor] | None = None
        self._over_time: list[float] = []
        self._target_over_time: list[float] = []

    def update(
        self,
        pred: Tensor,
        target: Tensor | None = None,
        mask: Tensor | None = None,
        motion: Motion | None = None,
    ) -> None:
        """Takes the next frame, and the motion from the frame `lag` before it, which the first `lag` frames lack.

        Raises:
            ValueError: If the motion is missing, or of another size.
        """
        if target is not None:
            require(target, pred)
        now = _Held(smooth(pred, self.low_pass), None if target is None else smooth(target, self.low_pass), mask)
        self._over_time.append(math.nan)
        self._target_over_time.append(math.nan)
        self.last_change = None
        if len(self._held) == self.lag:
            if motion is None or motion.flow.shape[-2:] != pred.shape[-2:]:
                got = "none" if motion is None else f"one of {tuple(motion.flow.shape[-2:])} pixels"
                raise ValueError(f"the motion from {self.lag} frames before to a frame of {tuple(pred.shape)} is {got}")
            self._add(self._held.popleft(), now, motion)
        self._held.append(now)

    def _add(self, then: _Held, now: _Held, motion: Motion) -> None:
        weight = seen(motion, self.interpolation) * _inner(now.pred, math.ceil(3 * self.low_pass))
        if now.mask is not None and then.mask is not None:
            # of channels one mask: which weighs a pixel
            masks = [
                m.amin(dim=0, keepdim=True).float() for m in (now.mask, bring(then.mask.float(), motion, "bilinear"))
            ]
            weight = weight * torch.minimum(*masks)
        count = float(weight.sum(dtype=torch.float64))
        pred, target, pairs, all_pairs, noise = self._sums
        pair = [(then.pred, now.pred)]
        if now.target is not None and then.target is not None:
            pair.append((then.target, now.target))
        before, after = (torch.cat(frames) for frames in zip(*pair))
        squares = (after - bring(before, motion, self.interpolation)).square()
        errors = [part.mean(dim=0) * weight[0] for part in squares.split(len(now.pred))]
        if count > 0:
            means = [float(error.sum(dtype=torch.float64)) / count for error in errors]
            pred, target, pairs = pred + means[0], target + (means[1:] or [math.nan])[0], pairs + 1
            noise += self.noise
            self._over_time[-1], self._target_over_time[-1] = means[0], (means[1:] or [math.nan])[0]
        self._sums = (pred, target, pairs, all_pairs + 1, noise)
        if self.maps:
            squares, weights = self._map or (torch.zeros_like(weight[0]), torch.zeros_like(weight[0]))
            self._map = squares + errors[0], weights + weight[0]
            self.last_change = torch.where(weight[0] > 0, torch.stack(errors).sqrt(), torch.nan)

    def finish(self) -> Sums:
        """Sums over pairs: of E_warp, of that of the target (nan without one), of 1, of 1 even if no pixel counts, of
        the rounding noise."""
        sums = self._sums
        if self.maps:
            squares, weights = self._map or (torch.zeros(0, 0), torch.zeros(0, 0))
            self.change_map = torch.where(weights > 0, squares / weights.clamp(min=1e-12), torch.nan).sqrt().numpy()
            self.over_time, self.target_over_time = np.array(self._over_time), np.array(self._target_over_time)
        self._start()
        return sums

    @staticmethod
    def value(sums: Sums) -> float:
        return sums[0] / sums[2] if sums[2] else math.nan

    @staticmethod
    def floor(sums: Sums) -> float:
        """E_warp of the target; nan without one."""
        return sums[1] / sums[2] if sums[2] else math.nan

    @classmethod
    def of_target(cls, sums: Sums) -> float:
        return cls.floor(sums)

    @staticmethod
    def reason(sums: Sums) -> str:
        if sums[3] == 0:
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
    """

    name, metric, title, spec = "F", "TemporalFlicker", "F", ".2f"
    better, reference, ideal = "near 1", "needed", 1.0
    about = "flicker along the motion: 1 is as steady as the truth, above 1 flickers"

    @staticmethod
    def value(sums: Sums) -> float:
        if sums[2] == 0 or not sums[1] / sums[2] > FLOOR:
            return math.nan
        return math.sqrt((sums[0] + sums[4]) / (sums[1] + sums[4]))

    @staticmethod
    def reason(sums: Sums) -> str:
        if sums[2] == 0:
            return WarpErrorMeter.reason(sums)
        return "the reference does not change along its motion at all: there is nothing to compare with (see E_warp)"

    @classmethod
    def of_target(cls, sums: Sums) -> float:
        return math.nan if math.isnan(cls.value(sums)) else 1.0

    @staticmethod
    def beside(sums: Sums) -> dict[str, float]:
        return {"E_warp": WarpErrorMeter.value(sums), "E_warp_truth": WarpErrorMeter.floor(sums)}


NOTICEABLE = 0.95
"""Flickering more than this many times as much as before is no improvement."""


def flicker_ratio(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    """How many times as much clips flicker: the geometric mean of the ratios of F, and the upper end of its range.

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
    """Whether clips flicker noticeably less, by more than what differs from clip to clip."""
    ratio, upper = flicker_ratio(before, after)
    return ratio <= NOTICEABLE and upper < 1
