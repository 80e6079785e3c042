"""The one shape of all measures of ordered clips."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from torch import Tensor

from ..functional import white_of

Sums = tuple[float, ...]
"""What a meter has summed up of a clip. Sums of clips add up, element by element."""

FLOOR = 1e-10
"""Mean squares below this are the rounding of our own arithmetic: nothing is there, and no ratio is taken of it."""

M = TypeVar("M", bound="Meter")


@dataclass(frozen=True)
class Clip:
    """What is known of a clip before its first frame.

    Attributes:
        fps: Frames per second.
        num_frames: Its length.
        peak: Width of the range of its values, from black to white.
    """

    fps: float
    num_frames: int
    peak: float = 1.0


class Meter:
    """Measures one clip as its frames come, in constant memory: `update` with each frame, then `finish`.

    After `finish` it is ready for another clip. A subclass is all that there is to know about a measure: tables,
    reports, help texts and metrics read the attributes below. Measures that are values of the same sums share a base
    class that sums up, and `summed_by` names it.

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
        needs_motion: Whether `update` wants to know the motion from an earlier frame to this.
        default: Whether it is measured if nobody says what to measure.
        about: One line for people.
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
    default: ClassVar[bool] = True
    about: ClassVar[str]

    @classmethod
    def of_clip(cls: type[M], clip: Clip, **options: Any) -> M:
        """A meter for such a clip; `options` are those of the class."""
        return cls(**options)

    @classmethod
    def summed_by(cls) -> type[Meter]:
        """The class whose sums this measure is a value of."""
        return cls

    def update(self, pred: Tensor, target: Tensor | None = None, mask: Tensor | None = None) -> None:
        """Takes the next frame.

        Args:
            pred: (C, H, W), floating-point, or integers of 8 or 16 bits that stand for value / largest integer.
            target: The same of the reference; None without one.
            mask: (1 or C, H, W) in [0, 1], how much each value counts; None: all 1.
        """
        raise NotImplementedError

    def finish(self) -> Sums:
        """Ends the clip and gives its sums."""
        raise NotImplementedError

    @staticmethod
    def value(sums: Sums) -> float:
        """The measure, of the sums of one clip or of several; nan if there is nothing to measure."""
        raise NotImplementedError

    @staticmethod
    def reason(sums: Sums) -> str:
        """Why the value is nan."""
        return "there is no frame to measure"

    @classmethod
    def of_target(cls, sums: Sums) -> float:
        """What the reference itself has; nan if that says nothing."""
        return cls.ideal

    @staticmethod
    def beside(sums: Sums) -> dict[str, float]:
        """What must stand beside the value wherever it stands, by name."""
        return {}

    @classmethod
    def format(cls, value: float) -> str:
        """A value as tables show it."""
        return "n/a" if math.isnan(value) else format(value, cls.spec)


class MeanMeter(Meter):
    """Base of measures that are a mean over frames, or over pairs of frames."""

    def __init__(self) -> None:
        self._sums = (0.0, 0.0)

    def add(self, value: float) -> None:
        """Takes the value of a frame or a pair."""
        self._sums = (self._sums[0] + value, self._sums[1] + 1)

    def finish(self) -> Sums:
        """(weighted sum of values, sum of weights)."""
        sums, self._sums = self._sums, (0.0, 0.0)
        return sums

    @staticmethod
    def value(sums: Sums) -> float:
        return sums[0] / sums[1] if sums[1] else math.nan


def as_float(frame: Tensor) -> Tensor:
    """A frame in floating point: integers of 8 or 16 bits are divided by the largest of them."""
    return frame if frame.is_floating_point() else frame.float() / white_of(frame.dtype)


def require(target: Tensor | None, pred: Tensor) -> Tensor:
    """The reference's frame.

    Raises:
        ValueError: If it is not there, or of another shape.
    """
    if target is None:
        raise ValueError("this measure needs a reference")
    if target.shape != pred.shape:
        raise ValueError(f"prediction {tuple(pred.shape)} and target {tuple(target.shape)} differ in shape")
    return target


def add_sums(a: Sums, b: Sums) -> Sums:
    """Sums of two clips, pooled."""
    return tuple(x + y for x, y in zip(a, b, strict=True))
