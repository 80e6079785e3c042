"""Results of a measurement of videos."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, field
from fractions import Fraction

import numpy as np
from torch import Tensor

from ...meters import DOMAINS, METERS, DetailMeter, Meter
from ...meters.domains import MAX_RADIANCE

KEPT = 0.9
"""Without a reference, what keeps less than this part of the detail is no better for changing less."""


@dataclass
class VideoScores:
    """Measures of one video.

    Attributes:
        name: Name of the video.
        values: Name of the measure (`meters.METERS`) -> value; nan where there is nothing to measure. Of the reference:
            what it has itself, the mark to compare with.
        reasons: Name of the measure -> why its value is nan.
        series: Name of the measure -> (T,) its values over time, `Meter.curve`; nan where there is none. Those that
            sum up for others are there too: "warp_error" for F, and for S and R "fast_changes", the root mean square
            over the picture of the high-pass: of the error, or of the video itself if there is no reference.
        maps: Name of a measure that sums up -> (H, W) where it is, `Meter.map`.
        pixels: (T, n) luminance of a grid of pixels.
    """

    name: str
    values: dict[str, float] = field(default_factory=dict)
    _: KW_ONLY
    reasons: dict[str, str] = field(default_factory=dict)
    series: dict[str, np.ndarray] = field(default_factory=dict)
    maps: dict[str, np.ndarray] = field(default_factory=dict)
    pixels: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    def cell(self, name: str) -> str:
        """A value as in a table."""
        return METERS[name].format(self.values[name])


@dataclass
class Moment:
    """Frames of one moment, for a watcher of `measure_videos`; the reference comes first, if there is one.

    Attributes:
        shown: (3, H, W) display values in [0, 1] of each video.
        changes: (H, W) change of each along the motion that ends here, in parts of the range of values, nan where the
            motion is not known; None where that is so everywhere.
    """

    shown: list[Tensor]
    changes: list[Tensor | None]


@dataclass(kw_only=True)
class Measurement:
    """All that `measure_videos` found.

    Attributes:
        rate: Frames per second.
        size: (H, W).
        num_frames: Length of the videos.
        domain: In what values they were compared (`meters.DOMAINS`), but for measures of display values.
        positions: (n, 2), the pixels that `VideoScores.pixels` are of, (x, y).
        reference: What the reference has itself; None without one.
        videos: Scores, in the order given.
        compared: Without a reference, whose motion they were measured along and whose detail K is compared with.
        enlarged: How many times as large the videos are as that is; it was enlarged to their size.
    """

    rate: Fraction
    size: tuple[int, int]
    num_frames: int
    domain: str
    positions: np.ndarray
    reference: VideoScores | None
    videos: list[VideoScores]
    compared: str = ""
    enlarged: int = 1

    @property
    def peak(self) -> float:
        """Width of the range of the values that were compared."""
        domain = DOMAINS[self.domain]
        return domain.peak(MAX_RADIANCE if domain.radiance else 1.0)

    @property
    def measures(self) -> list[type[Meter]]:
        """Measures that were taken, in the order of columns."""
        return [METERS[name] for name in self.videos[0].values]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Headings and rows of a table; the reference is its first row."""
        rows = [[video.name, *map(video.cell, video.values)] for video in self.videos]
        if self.reference:
            own = [self.reference.cell(n) if math.isfinite(v) else "" for n, v in self.reference.values.items()]
            rows.insert(0, [self.reference.name, *own])
        to = f" to {self.compared}" if self.compared else ""
        return ["video", *(f"{m.title}{to * (m is DetailMeter)}" for m in self.measures)], rows

    @property
    def blurred(self) -> set[str]:
        """Names of videos that, without a reference, are no better for changing less: much of the detail is lost.

        What was enlarged to be compared has next to none: then it is the first video's.
        """
        enough = KEPT * (self.videos[0].values.get(DetailMeter.name, 1.0) if self.enlarged > 1 else 1.0)
        return {v.name for v in self.videos if self.compared and v.values.get(DetailMeter.name, enough) < enough}

    def notes(self) -> list[str]:
        """Why some values are not there, a line each."""
        notes = [
            f"{video.name}: {METERS[name].title} n/a: {reason}"
            for video in self.videos
            for name, reason in video.reasons.items()
        ]
        if self.compared:
            whose = "that" if self.enlarged == 1 else f"{self.videos[0].name}'s"
            notes.append(
                f"without a reference nothing says what is right: motion and detail are those of {self.compared}, and "
                f"what keeps less than {KEPT:g} of {whose} detail is no better for changing less, as a blur does"
            )
            if self.enlarged > 1:
                notes.append(
                    f"K is above 1, as {self.compared} was made {self.enlarged} times as large to be compared, and has "
                    "hardly any detail as fine as that: compare K of the videos"
                )
        return list(dict.fromkeys(notes))
