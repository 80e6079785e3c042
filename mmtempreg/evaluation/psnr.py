"""PSNR of clips; and where the camera has lost the light."""

from __future__ import annotations

from typing import Any

from mmagic.registry import METRICS

from ..meters import DOMAINS, PSNRMeter
from ..meters.domains import MAX_RADIANCE
from ..utils.validation import Positive, check_arguments
from .sequence_metric import SequenceMetric


@METRICS.register_module()
class ClipPSNR(SequenceMetric):
    """PSNR = 10 log10(peak^2 / MSE) in dB, MSE = sum m (f(x) - y)^2 / sum m over all values of a clip's frames.

    Args:
        peak: Width of the range of values in the domain: 255 of MMagic's images, 2 of `domain='ab'`.
        kwargs: Arguments of `SequenceMetric`; m is its `mask`, 1 by default.
    """

    meter = PSNRMeter

    @check_arguments
    def __init__(self, peak: Positive, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._peak = peak

    def peak(self) -> float:
        return self._peak


@METRICS.register_module()
class SaturatedPSNR(ClipPSNR):
    """PSNR of radiance over the saturated pixels of a clip: m is the saturation mask of the truth.

    The peak is the width of the domain from black to `max_radiance`: domain(max_radiance) - domain(0), which is
    ln(10 + 1/255) - ln(1/255) = 7.844 by default.

    Args:
        domain: 'log', 'linear' or 'gamma', as in `SequenceMetric`.
        max_radiance: Radiance of the peak, 1 is where the sensor saturates.
        kwargs: Arguments of `SequenceMetric`; `mask=None` measures all pixels.

    Raises:
        ValueError: For an unknown option, and for a domain of display values, which radiance has not.
    """

    @check_arguments
    def __init__(
        self,
        domain: str = "log",
        max_radiance: Positive = MAX_RADIANCE,
        mask: str | None = "saturated",
        **kwargs: Any,
    ) -> None:
        if domain in DOMAINS and not DOMAINS[domain].radiance:
            raise ValueError(f"domain must be one of radiance, got {domain!r}")
        peak = DOMAINS[domain].peak(max_radiance) if domain in DOMAINS else 1.0
        super().__init__(peak, domain=domain, mask=mask, **kwargs)
