"""Detail, tOF, colour consistency and ColorVideoVDP as MMagic metrics."""

from __future__ import annotations

from typing import Any

from mmagic.registry import METRICS

from ..meters import ColorDistributionMeter, DetailMeter, FlowDifferenceMeter, VideoVDPMeter
from ..utils.validation import Positive, check_arguments
from .sequence_metric import SequenceMetric


@METRICS.register_module()
class SpatialDetail(SequenceMetric):
    """K, the energy of fine detail over that of the truth: 1 keeps it, 0 is a blur (`meters.DetailMeter`).

    Args:
        kwargs: Arguments of `SequenceMetric`.
    """

    meter = DetailMeter


@METRICS.register_module()
class TemporalOpticalFlow(SequenceMetric):
    """tOF in pixels (Chu et al. 2020): `FlowDifferenceMeter`. Lower is better.

    Args:
        kwargs: Arguments of `SequenceMetric`.
    """

    meter = FlowDifferenceMeter


@METRICS.register_module()
class ColorDistributionConsistency(SequenceMetric):
    """CDC (Liu et al. 2021): `ColorDistributionMeter`, of the prediction alone. Lower is better.

    `ColorDistributionConsistency_truth` stands beside it, and with a lag of 1 s it is called
    `ColorDistributionConsistency_1s`.

    Args:
        lag: Seconds between the frames that are compared; None: 1, 2 and 4 frames.
        kwargs: Arguments of `SequenceMetric`.
    """

    meter = ColorDistributionMeter

    @check_arguments
    def __init__(self, lag: Positive | None = None, **kwargs: Any) -> None:
        super().__init__(options=dict(lag=lag), **kwargs)


@METRICS.register_module()
class VideoVDP(SequenceMetric):
    """ColorVideoVDP in JOD (Mantiuk et al. 2024): `VideoVDPMeter`, which needs the package cvvdp. Higher is better.

    Args:
        display: Name of a display model of cvvdp.
        kwargs: Arguments of `SequenceMetric`.
    """

    meter = VideoVDPMeter

    @check_arguments
    def __init__(self, display: str = "standard_4k", **kwargs: Any) -> None:
        super().__init__(options=dict(screen=display), **kwargs)
