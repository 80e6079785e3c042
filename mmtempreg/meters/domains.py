"""In what values clips are compared: from RGB to a domain, and how wide that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..functional import gamma_encode, log_radiance, luminance, rgb_to_lab, to_display
from ..functional.color import AB_SCALE

MAX_RADIANCE = 10.0
"""The brightest radiance that counts as white; 1 is where the sensor saturates."""


@dataclass(frozen=True)
class Domain:
    """A way to look at RGB.

    Attributes:
        convert: (..., 3, H, W) to (..., C, H, W).
        radiance: Whether it is of linear radiance (>= 0), and not of display values in [0, 1].
        about: What is compared, for people.
    """

    convert: Callable[[Tensor], Tensor]
    radiance: bool
    about: str

    def peak(self, white: float) -> float:
        """Width of the range from black to a grey value that counts as white, in the widest channel."""
        if self.convert is _ab:
            return 2.0
        black_and_white = torch.tensor([0.0, white], dtype=torch.float64).view(2, 1, 1, 1).expand(2, 3, 1, 1)
        black, top = self.convert(black_and_white)[:, 0].flatten().tolist()
        return top - black


def _same(rgb: Tensor) -> Tensor:
    return rgb


def _log(rgb: Tensor) -> Tensor:
    return log_radiance(rgb.clamp(min=0))


def _log_luminance(rgb: Tensor) -> Tensor:
    return log_radiance(luminance(rgb).clamp(min=0))


def _gamma(rgb: Tensor) -> Tensor:
    return gamma_encode(rgb.clamp(min=0))


def _ab(rgb: Tensor) -> Tensor:
    return rgb_to_lab(rgb)[..., 1:, :, :] / AB_SCALE


DOMAINS = {
    "linear": Domain(_same, True, "radiance as it comes, in red, green and blue"),
    "log": Domain(_log, True, "radiance on a logarithmic scale, ln(v + 1/255), in red, green and blue"),
    "log luminance": Domain(
        _log_luminance, True, "brightness on a logarithmic scale, ln(v + 1/255) of the luminance of radiance"
    ),
    "gamma": Domain(_gamma, True, "radiance as a display shows it, v^(1/2.2), in red, green and blue"),
    "rgb": Domain(_same, False, "red, green and blue as displayed"),
    "luminance": Domain(luminance, False, "brightness as displayed, a weighted sum of red, green and blue"),
    "ab": Domain(_ab, False, "colour without brightness, a / 110 and b / 110 of CIE Lab"),
}
"""Name -> domain."""


def shown(rgb: Tensor, radiance: bool, stops: float = 0.0) -> Tensor:
    """Display values: of radiance an exposure of `stops`, clipped, gamma 2.2; others as they are."""
    return to_display(rgb.clamp(min=0), stops) if radiance else rgb
