"""The one shape of all measures of ordered clips."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import add
from threading import RLock
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor

from ..functional import Motion, luminance, white_of
from ..functional.camera import pixel_luminance

Sums = tuple[Any, ...]
"""What a meter has summed up: a named tuple of numbers, or of tuples of them. Sums of clips add up (`add_sums`)."""

FLOOR = 1e-10
"""Mean squares below this are the rounding of our own arithmetic: nothing is there, and no ratio is taken of it."""

M = TypeVar("M", bound="Meter")
S = TypeVar("S", bound=Sums)
T = TypeVar("T")


@dataclass(frozen=True)
class Clip:
    """Facts of a clip that are known before its first frame.

    Attributes:
        fps: Frames per second.
        num_frames: Its length.
        peak: Width of the range of its values, from black to white.
    """

    fps: float
    num_frames: int
    peak: float = 1.0


class Picture:
    """A frame, and what measures make of it: each thing is made once, however many measures look at it.

    Args:
        values: (C, H, W), as `Meter.update` takes them.
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self._made: dict[tuple, Any] = {}
        self._making = RLock()

    @property
    def shape(self) -> torch.Size:
        """(C, H, W)."""
        return self.values.shape

    def once(self, make: Callable[..., T], *others: Any) -> T:
        """`make(values, *others)`, kept as long as the picture is.

        Of two pictures ask the earlier one: else each would keep the one before it, and so all of the clip.
        """
        with self._making:
            key = (make, *others)
            if key not in self._made:
                self._made[key] = make(self.values, *others)
            return self._made[key]

    def floats(self) -> Tensor:
        """The values in floating point: integers of 8 or 16 bits are divided by the largest of them."""
        return self.once(as_float)


class Meter(Generic[S]):
    """Measures one clip as its frames come, in constant memory: `update` with each frame, then `finish`.

    After `finish` it is ready for another clip. A subclass is all that there is to know about a measure: tables,
    reports, help texts and metrics read the attributes below. Measures that are values of the same sums share a base
    class that sums up, and `summed_by` names it.

    A subclass says what a frame adds to the sums (`measure`) and what they come to (`value`).

    Attributes:
        name: Short name, as in `measure_video --metrics`.
        title: Heading of its column.
        metric: Name of the registered metric, as in configs and in what tools/test.py writes.
        metric_aliases: Other metrics of the same measure.
        spec: How its values are written in tables, as in `format`.
        better: 'higher', 'lower' or 'near 1'.
        ideal: What the reference itself has; nan where that is not known beforehand.
        reference: 'needed', 'optional', or 'unused': the clip is measured alone.
        display: Whether it is of display values, RGB in [0, 1]; else of the values of any domain (`domains`).
        lagged: Whether it can compare frames that are so many seconds apart (`of_clip(clip, lag=...)`).
        needs_motion: Whether it looks at the `motion` that `update` takes: others need not be told.
        pictured: Whether it has a `map`.
        default: Whether it is measured if nobody says what to measure.
        about: One line for people.
        nothing: The sums of a clip without frames.
        keep: Set it before the first frame to have `series` and `map` too, for curves and pictures.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    metric: ClassVar[str]
    metric_aliases: ClassVar[tuple[str, ...]] = ()
    spec: ClassVar[str] = ".3f"
    better: ClassVar[str] = "lower"
    ideal: ClassVar[float] = math.nan
    reference: ClassVar[str] = "needed"
    display: ClassVar[bool] = False
    lagged: ClassVar[bool] = False
    needs_motion: ClassVar[bool] = False
    pictured: ClassVar[bool] = False
    default: ClassVar[bool] = True
    about: ClassVar[str]
    nothing: S
    keep: bool = False

    def __init__(self) -> None:
        self._ended: list[S] = []
        self._begin()

    def _begin(self) -> None:
        self._sums = self.nothing
        self._series: list[S] = []

    @classmethod
    def of_clip(cls: type[M], clip: Clip, **options: Any) -> M:
        """A meter for such a clip; `options` are those of the class."""
        return cls(**options)

    @classmethod
    def summed_by(cls) -> type[Meter]:
        """The class whose sums this measure is a value of."""
        return cls

    def update(
        self,
        pred: Tensor | Picture,
        target: Tensor | Picture | None = None,
        mask: Tensor | None = None,
        motion: Motion | None = None,
    ) -> None:
        """Takes the next frame.

        Args:
            pred: (C, H, W), floating-point, or integers of 8 or 16 bits that stand for value / largest integer. As a
                `Picture` if several meters look at it.
            target: The same of the reference; None without one.
            mask: (1 or C, H, W) in [0, 1], how much each value counts; None: all 1.
            motion: From the frame that this one is compared with, if the meter `needs_motion` and there is one.

        Raises:
            ValueError: If the reference is missing or of another shape, or the frame cannot be measured.
        """
        if target is None and self.reference == "needed":
            raise ValueError("this measure needs a reference")
        if target is not None and target.shape != pred.shape:
            raise ValueError(f"prediction {tuple(pred.shape)} and target {tuple(target.shape)} differ in shape")
        frame, truth = (x if isinstance(x, Picture) or x is None else Picture(x) for x in (pred, target))
        sums = self.measure(frame, truth, mask, motion)
        if sums is not None:
            self.add(sums)

    def measure(self, pred: Any, target: Any, mask: Tensor | None, motion: Motion | None) -> S | None:
        """Sums of the next frame: `nothing`, if there is none to compare it with. None, if they are known later only:
        then the subclass calls `add` itself.

        Args:
            pred, target: A `Picture` each; no target is None, which is so only where `reference` is not 'needed'.
            mask, motion: As in `update`.
        """
        raise NotImplementedError

    def add(self, sums: S) -> None:
        """Adds the sums of one frame, or of a pair."""
        self._sums = add_sums(self._sums, sums)
        if self.keep:
            self._series.append(sums)

    def finish(self) -> S:
        """Ends the clip and gives its sums."""
        sums, self._ended = self._sums, self._series
        self._begin()
        return sums

    def series(self) -> list[S]:
        """The sums of each frame of the clip that has ended, if `keep`; values of them are a curve (`curve`)."""
        return self._ended

    def map(self) -> np.ndarray:
        """(H, W), where in the picture the clip that has ended had what is measured, root mean square over time; nan
        where nobody knows. Empty without `keep`, and if the measure is not `pictured`."""
        return np.zeros((0, 0))

    def latest(self) -> Tensor | None:
        """(1 or 2, H, W), where the last frame of the clip, and that of the reference, has what is measured; nan where
        nobody knows. None if there is no such picture."""
        return None

    @classmethod
    def value(cls, sums: S) -> float:
        """The measure, of the sums of a frame, of a clip or of several; nan if there is nothing to measure."""
        raise NotImplementedError

    @classmethod
    def curve(cls, series: Sequence[S]) -> np.ndarray:
        """(T,) the measure over time, of `series`."""
        return np.array([cls.value(sums) for sums in series])

    @classmethod
    def reason(cls, sums: S) -> str:
        """Why the value is nan."""
        return "there is no frame to measure"

    @classmethod
    def of_target(cls, sums: S) -> float:
        """Value of the reference itself; nan if that says nothing."""
        return cls.ideal

    @classmethod
    def beside(cls, sums: S) -> dict[str, float]:
        """Values that must stand beside this one wherever it stands, by name; another measure's by its `title`."""
        return {}

    @classmethod
    def format(cls, value: float) -> str:
        """A value as tables show it."""
        return "n/a" if math.isnan(value) else format(value, cls.spec)


class Mean(NamedTuple):
    """Sums of a mean.

    Attributes:
        total: Sum of what there is the mean of.
        weight: How much counts.
    """

    total: float
    weight: float


class MeanMeter(Meter[Mean]):
    """Base of measures that are a mean over frames, or over pairs of frames, `Mean(value, 1)` each."""

    nothing = Mean(0.0, 0.0)

    @classmethod
    def value(cls, sums: Mean) -> float:
        return sums.total / sums.weight if sums.weight else math.nan


def as_float(frame: Tensor) -> Tensor:
    """A frame in floating point: integers of 8 or 16 bits are divided by the largest of them."""
    return frame if frame.is_floating_point() else frame.float() / white_of(frame.dtype)


def grey(frame: Tensor) -> Picture:
    """The luminance of a frame of RGB display values, as a picture; one channel is grey itself."""
    if len(frame) == 3:
        return Picture(pixel_luminance(frame) if frame.dtype == torch.uint8 else luminance(as_float(frame)))
    return Picture(as_float(frame))


def weight_of(mask: Tensor | None, frame: Tensor) -> float:
    """Number of a frame's values that count, each as much as the mask says."""
    return float(frame.numel()) if mask is None else float(mask.expand_as(frame).sum(dtype=torch.float64))


def squared_distance(a: Tensor, b: Tensor) -> float:
    """Sum of (a - b)^2, in double precision and in one pass."""
    return cv2.norm(a.flatten(1).numpy(), b.flatten(1).numpy(), cv2.NORM_L2SQR)


def add_sums(a: S, b: S) -> S:
    """Sums of two clips, or frames, pooled."""
    pairs = zip(a, b, strict=True)
    return type(a)(*(tuple(map(add, x, y)) if isinstance(x, tuple) else x + y for x, y in pairs))
