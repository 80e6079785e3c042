"""Measures of ordered clips that stream, all of one shape (`Meter`). None of MMagic's slow import.

To add one: a file with a `Meter`, its test, and a line in `METERS`.
"""

from __future__ import annotations

from .base import Clip, Mean, MeanMeter, Meter, Picture, Sums, add_sums
from .color_distribution import ColorDistributionMeter
from .detail import CoarseDetailMeter, DetailMeter, fine_detail
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
        CoarseDetailMeter,
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


__all__ = [
    "DOMAINS",
    "METERS",
    "Clip",
    "CoarseDetailMeter",
    "ColorDistributionMeter",
    "DetailMeter",
    "Domain",
    "EquivarianceMeter",
    "FlickerMeter",
    "FlowDifferenceMeter",
    "Mean",
    "MeanMeter",
    "Meter",
    "PSNRMeter",
    "Picture",
    "ResidualMeter",
    "SSIMMeter",
    "SmoothnessMeter",
    "Sums",
    "TemporalEnergyMeter",
    "TrueDetailMeter",
    "VideoVDPMeter",
    "WarpErrorMeter",
    "add_sums",
    "fine_detail",
    "flicker_ratio",
    "flickers_less",
    "smoothness",
    "ssim",
    "temporal_energies",
    "temporal_residual",
]
