"""Measures of ordered clips that stream, all of one shape (`Meter`). None of MMagic's slow import.

To add one: a file with a `Meter`, its test, and a line in `METERS`.
"""

from __future__ import annotations

from .base import Clip, MeanMeter, Meter, Sums, add_sums
from .color_distribution import ColorDistributionMeter
from .detail import DetailMeter, fine_detail
from .domains import DOMAINS, Domain
from .flicker import FlickerMeter, WarpErrorMeter, flicker_ratio, flickers_less
from .flow_difference import FlowDifferenceMeter
from .psnr import EquivarianceMeter, PSNRMeter
from .ssim import SSIMMeter, ssim
from .temporal import (
    ResidualMeter,
    SmoothnessMeter,
    TemporalEnergyMeter,
    smoothness,
    temporal_energies,
    temporal_residual,
)
from .true_detail import TrueDetailMeter
from .video_vdp import VideoVDPMeter

METERS: dict[str, type[Meter]] = {
    meter.name: meter
    for meter in (
        FlickerMeter,
        DetailMeter,
        TrueDetailMeter,
        PSNRMeter,
        SmoothnessMeter,
        ResidualMeter,
        WarpErrorMeter,
        SSIMMeter,
        FlowDifferenceMeter,
        VideoVDPMeter,
        ColorDistributionMeter,
        TemporalEnergyMeter,
    )
}
"""Name -> measure, in the order of columns."""


def column_of(metric: str) -> tuple[str, type[Meter]] | None:
    """Heading and measure of a value that tools/test.py has written; None if it is none of a whole set of clips."""
    name, _, rest = metric.partition("_")
    meters: list[type[Meter]] = [*METERS.values(), EquivarianceMeter]
    for meter in meters:
        if name in (meter.metric, *meter.metric_aliases):
            lag, _, beside = rest.partition("_") if not rest.startswith("E_") else ("", "", rest)
            shown: type[Meter] = WarpErrorMeter if beside == "E_warp" else meter
            if beside not in ("", "E_warp") or (lag and not (lag.endswith("s") and meter.lagged)):
                return None
            return (f"{shown.title} {lag[:-1]} s" if lag else shown.title), shown
    return None


__all__ = [
    "DOMAINS",
    "METERS",
    "Clip",
    "ColorDistributionMeter",
    "DetailMeter",
    "Domain",
    "EquivarianceMeter",
    "FlickerMeter",
    "FlowDifferenceMeter",
    "MeanMeter",
    "Meter",
    "PSNRMeter",
    "ResidualMeter",
    "SSIMMeter",
    "SmoothnessMeter",
    "Sums",
    "TemporalEnergyMeter",
    "TrueDetailMeter",
    "VideoVDPMeter",
    "WarpErrorMeter",
    "add_sums",
    "column_of",
    "fine_detail",
    "flicker_ratio",
    "flickers_less",
    "smoothness",
    "ssim",
    "temporal_energies",
    "temporal_residual",
]
