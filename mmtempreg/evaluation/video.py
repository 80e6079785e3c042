"""Warping error, tOF, colour consistency and ColorVideoVDP as MMagic metrics."""

from __future__ import annotations

from typing import Any

from mmagic.registry import METRICS
from torch import Tensor

from ..functional.video_metrics import ColorDistributionMeter, FlowDifferenceMeter, WarpErrorMeter
from .sequence_metric import SequenceMetric


class _VideoMetric(SequenceMetric):
    """A metric of display values.

    Args:
        white: The value of white in predictions and ground truth: 255 in MMagic.
        kwargs: Of `SequenceMetric`. Radiance, where white is 1, is to be compared in the domain 'gamma'.
    """

    meter: Any

    def __init__(self, white: float = 255.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not white > 0:
            raise ValueError(f"white must be positive, got {white}")
        if self.mask or self.domain in ("log", "ab"):
            raise ValueError(
                f"{self.metric} is of whole pictures and of display values: no mask, and no domain 'log' or 'ab'"
            )
        self.white = white

    def start_clip(self, fps: float, num_frames: int) -> None:
        self._meter = self.meter()

    def update(self, gt: Tensor, pred: Tensor, mask: Tensor | None) -> None:
        gt, pred = ((image / self.white).clamp(0, 1).flip(0) for image in (gt, pred))  # MMagic's images are BGR
        self.add(gt, pred)

    def add(self, gt: Tensor, pred: Tensor) -> None:
        """Takes the next frames, RGB in [0, 1]."""
        self._meter.update(pred, gt)

    def finish_clip(self) -> tuple[float, ...] | None:
        return self._meter.finish()

    def value(self, totals: tuple[float, ...]) -> float:
        return self.meter.value(totals)


@METRICS.register_module()
class WarpError(_VideoMetric):
    """Warping error (Lai et al. 2018), with OpenCV's DIS flow of the ground truth: `WarpErrorMeter`. Lower is better.

    Args:
        white: The value of white, 255 in MMagic.
        kwargs: Of `SequenceMetric`.
    """

    metric = "WarpError"
    meter = WarpErrorMeter


@METRICS.register_module()
class TemporalOpticalFlow(_VideoMetric):
    """tOF in pixels (Chu et al. 2020): `FlowDifferenceMeter`. Lower is better.

    Args:
        white: The value of white, 255 in MMagic.
        kwargs: Of `SequenceMetric`.
    """

    metric = "TemporalOpticalFlow"
    meter = FlowDifferenceMeter


@METRICS.register_module()
class ColorDistributionConsistency(_VideoMetric):
    """CDC (Liu et al. 2021): `ColorDistributionMeter`, of the prediction alone. Lower is better.

    Args:
        white: The value of white, 255 in MMagic.
        kwargs: Of `SequenceMetric`.
    """

    metric = "ColorDistributionConsistency"
    meter = ColorDistributionMeter

    def add(self, gt: Tensor, pred: Tensor) -> None:
        self._meter.update(pred)


@METRICS.register_module()
class VideoVDP(_VideoMetric):
    """ColorVideoVDP in JOD (Mantiuk et al. 2024): `VideoVDPMeter`, which needs the package cvvdp. Higher is better.

    Args:
        display: Name of a display model of cvvdp.
        white: The value of white, 255 in MMagic.
        kwargs: Of `SequenceMetric`.
    """

    metric = "VideoVDP"

    def __init__(self, display: str = "standard_4k", **kwargs: Any) -> None:
        from ..functional.video_vdp import VideoVDPMeter  # takes seconds, and may be missing

        super().__init__(**kwargs)
        self.meter, self.display = VideoVDPMeter, display

    def start_clip(self, fps: float, num_frames: int) -> None:
        self._meter = self.meter(num_frames, fps, self.display)
