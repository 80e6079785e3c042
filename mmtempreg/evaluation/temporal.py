"""Change over time as MMagic metrics: along the motion (F, E_warp), and at a fixed pixel (S, R)."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Interval
from mmagic.registry import METRICS

from ..functional.temporal import SIGMA
from ..meters import FlickerMeter, ResidualMeter, SmoothnessMeter, WarpErrorMeter
from ..utils.validation import OneOf, Positive, check_arguments
from .sequence_metric import SequenceMetric


@METRICS.register_module()
class TemporalFlicker(SequenceMetric):
    """F = sqrt(E_warp(f(x)) / E_warp(y)) along the motion: 1 as steady as the truth, above 1 it flickers.

    `TemporalFlicker_E_warp` and `TemporalFlicker_E_warp_truth` stand beside it, and with a lag of 1 s it is called
    `TemporalFlicker_1s`. See `meters.WarpErrorMeter`.

    Args:
        lag: Seconds between the frames that are compared; None: one frame. Of more than a frame the motion must be
            known (`motion_lags` of `HDRPanDataset` and `ProceduralHDRDataset`): estimated flow is lost over a second.
        kwargs: Arguments of `SequenceMetric`.
    """

    meter: type[WarpErrorMeter] = FlickerMeter

    @check_arguments
    def __init__(self, lag: Positive | None = None, **kwargs: Any) -> None:
        super().__init__(options=dict(lag=lag), **kwargs)


@METRICS.register_module()
class WarpError(TemporalFlicker):
    """Warping error E_warp: mean of squares along the motion, in the units of the domain. Lower is better.

    By default as Lai et al. 2018 have it: display values in [0, 1], bilinear interpolation; their flow is FlowNet2's,
    ours OpenCV's DIS of the ground truth: another scale.

    Args:
        interpolation, low_pass: 'lanczos' and 0.7 is what F is made of, fair to sharp pictures
            (`meters.WarpErrorMeter`).
        domain: 'linear' (images over `white`) and 'gamma' (radiance, with `white=1`) are clipped at white here.
        kwargs: Arguments of `TemporalFlicker`.
    """

    meter = WarpErrorMeter

    @check_arguments
    def __init__(
        self,
        lag: Positive | None = None,
        interpolation: Annotated[str, OneOf(("lanczos", "bilinear"))] = "bilinear",
        low_pass: Annotated[float, Interval(ge=0, le=100)] = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(lag, **kwargs)
        self.options |= dict(interpolation=interpolation, low_pass=low_pass)
        self.display = self.domain in ("linear", "gamma")


class _TemporalMetric(SequenceMetric):
    @check_arguments
    def __init__(self, sigma: Positive = SIGMA, **kwargs: Any) -> None:
        super().__init__(options=dict(sigma=sigma), **kwargs)


@METRICS.register_module()
class TemporalSmoothness(_TemporalMetric):
    """S = sqrt(sum D(y) / sum D(f(x))), Eq. 9-10: above 1 smoother than the truth; infinite for a still clip.

    Args:
        sigma: Standard deviation of the temporal Gaussian in seconds.
        kwargs: Arguments of `SequenceMetric`.
    """

    meter = SmoothnessMeter


@METRICS.register_module()
class TemporalResidual(_TemporalMetric):
    """R = sqrt(sum D(f(x) - y) / sum D(y)): fast changes that the truth does not have. 0 is perfect, 1 a still clip.

    Args:
        sigma: Standard deviation of the temporal Gaussian in seconds.
        kwargs: Arguments of `SequenceMetric`.
    """

    meter = ResidualMeter
