"""Meters of one video, while its frames come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
from torch import Tensor

from ...functional import Motion
from ...meters import Clip, DetailMeter, Meter, TemporalEnergyMeter, WarpErrorMeter
from ...meters.base import grey
from .frames import View, grid
from .scores import VideoScores


class MeasuredVideo:
    """The meters of a video: one for all measures of the same sums. One that cannot take a frame measures no more.

    Args:
        name: Name of the video.
        chosen: What is to be measured.
        clip: What is known of it.
        sigma: As in `measure_videos`.
        lag: As in `measure_videos`.
    """

    def __init__(
        self, name: str, chosen: Sequence[type[Meter]], clip: Clip, *, sigma: float, lag: float | None
    ) -> None:
        self._name, self._chosen, self._peak = name, chosen, clip.peak
        kinds = dict.fromkeys(meter.summed_by() for meter in chosen)
        if not any(kind.pictured for kind in kinds):
            kinds[TemporalEnergyMeter] = None  # a report shows something
        self._meters: dict[type[Meter], Meter] = {}
        for kind in sorted(kinds, key=lambda kind: kind.needs_motion):  # the motion may not be there yet
            options: dict[str, Any] = dict(lag=lag) if kind.lagged else {}
            if kind is TemporalEnergyMeter:
                options |= dict(sigma=sigma)
            self._meters[kind] = kind.of_clip(clip, **options)
            self._meters[kind].keep = True
        self._failures: dict[type[Meter], Exception] = {}
        self._pixels = Rows()

    def update(self, view: View, target: View | None, motion: Future[Motion | None] | None, guide: View) -> None:
        """Takes the next frame.

        Args:
            view: The frame.
            target: That of the reference; None without one.
            motion: To this frame; None if no measure needs it.
            guide: What detail is compared with if there is no target.
        """
        self._pixels.add(grid_values(view))
        for kind, meter in self._meters.items():
            if kind in self._failures:
                continue
            known = guide if kind is DetailMeter else target
            pred, truth = (None if v is None else v.shown if kind.display else v.value for v in (view, known))
            assert pred is not None
            try:
                meter.update(pred, truth, motion=motion.result() if motion and kind.needs_motion else None)
            except (ValueError, OSError) as error:
                self._failures[kind] = error

    def change(self, which: int) -> Tensor | None:
        """The change along the motion that ends with the last frame: of the video (0), of the reference (1)."""
        meter = self._meters.get(WarpErrorMeter)
        latest = None if meter is None or WarpErrorMeter in self._failures else meter.latest()
        return None if latest is None or which >= len(latest) else latest[which] / self._peak

    def finish(self) -> tuple[VideoScores, VideoScores]:
        """The scores of the video, and what the reference has itself."""
        scores, own = VideoScores(self._name, pixels=self._pixels.array()), VideoScores("reference")
        sums = {kind: meter.finish() for kind, meter in self._meters.items() if kind not in self._failures}
        scores.maps = {kind.name: self._meters[kind].map() for kind in sums if kind.pictured}
        for meter in dict.fromkeys([*self._chosen, *sums]):
            if (kind := meter.summed_by()) in sums:
                series = self._meters[kind].series()
                scores.series[meter.name] = meter.curve(series)
                own.series[meter.name] = np.array([meter.of_target(one) for one in series])
        for meter in self._chosen:
            kind = meter.summed_by()
            failed = kind in self._failures
            scores.values[meter.name] = value = math.nan if failed else meter.value(sums[kind])
            own.values[meter.name] = math.nan if failed else meter.of_target(sums[kind])
            if math.isnan(value):
                scores.reasons[meter.name] = str(self._failures[kind]) if failed else meter.reason(sums[kind])
        return scores, own


class Rows:
    """Rows of float32 that pile up in one piece of memory.

    As a small piece for each frame, between large ones that come and go, they would keep these from being used again:
    the process would grow by more than a megabyte a frame at 1920x1080.
    """

    def __init__(self) -> None:
        self._bytes, self._length = bytearray(), 0

    def add(self, row: np.ndarray) -> None:
        """Adds one, (n,)."""
        self._bytes += row.astype(np.float32, copy=False).tobytes()
        self._length += 1

    def array(self) -> np.ndarray:
        """(number of rows, n)."""
        return np.frombuffer(self._bytes, np.float32).reshape(self._length, -1)


def grid_values(view: View) -> np.ndarray:
    """Luminance of the grid of pixels that is remembered."""
    values = view.shown.once(grey).values
    return values.flatten()[grid((values.shape[-2], values.shape[-1]))].numpy()
