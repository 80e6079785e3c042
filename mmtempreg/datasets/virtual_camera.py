"""A camera that photographs linear radiance: exposure, noise, colour, response curve, 8 bits, JPEG."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Annotated

import cv2
import numpy as np
import torch
from annotated_types import Interval

from ..functional import camera_curve
from ..utils.validation import Share, check_fields


@dataclass(frozen=True)
class Shot:
    """The settings of one photograph or clip.

    Attributes:
        curve_n, curve_s: Response curve, `functional.camera_curve`.
        noise: Standard deviation of the sensor's noise, 1 is saturation.
        hue: Shift of hue in degrees.
        saturation: Added to the saturation in [0, 1].
        jpeg_quality: 1-100, or None for no compression.
    """

    curve_n: float
    curve_s: float
    _: KW_ONLY
    noise: float = 0.0
    hue: float = 0.0
    saturation: float = 0.0
    jpeg_quality: int | None = None


@dataclass(frozen=True, kw_only=True)
class VirtualCamera:
    """Ranges that settings are drawn from. The defaults are those of hdrcnn's virtual camera.

    Attributes:
        noise: Largest noise standard deviation; drawn uniformly from 0.
        hue: Standard deviation of the hue shift in degrees.
        saturation: Standard deviation of the saturation shift.
        jpeg: Compress with a random quality from 30 to 100.
    """

    noise: Share = 0.01
    hue: Annotated[float, Interval(ge=0, le=360)] = 7.0
    saturation: Share = 0.1
    jpeg: bool = True

    def __post_init__(self) -> None:
        check_fields(self)

    def draw(self, rng: np.random.Generator) -> Shot:
        """Settings for one photograph or clip."""
        return Shot(
            curve_n=float(np.clip(rng.normal(0.9, 0.1), 0.2, 2.5)),
            # a shoulder of 0 would be a constant curve
            curve_s=float(np.clip(rng.normal(0.6, 0.1), 0.01, 5)),
            noise=float(rng.uniform(0, self.noise)),
            hue=float(rng.normal(0, self.hue)),
            saturation=float(rng.normal(0, self.saturation)),
            jpeg_quality=min(30 + int(rng.integers(75)), 100) if self.jpeg else None,
        )


def exposure_for(radiance: np.ndarray, percentile: float) -> float:
    """The factor that puts a percentile of the brightest channel at 1, where the sensor saturates.

    Args:
        radiance: (..., 3), linear.
        percentile: In (0, 1), e.g. 0.9: a tenth of the pixels will saturate.
    """
    level = float(np.quantile(radiance.max(axis=-1), percentile))
    return 1 / max(level, 1e-6)


def shift_colour(radiance: np.ndarray, hue: float, saturation: float) -> np.ndarray:
    """Shifts hue (degrees) and saturation in the HSV of sqrt(H), as hdrcnn does; (H, W, 3) linear RGB."""
    if hue == 0 and saturation == 0:
        return radiance
    hsv = cv2.cvtColor(np.sqrt(radiance), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + hue) % 360
    hsv[..., 1] = np.clip(hsv[..., 1] + saturation, 0, 1)
    return np.square(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def photograph(radiance: np.ndarray, shot: Shot, rng: np.random.Generator) -> np.ndarray:
    """Exposed linear radiance (H, W, 3), RGB, to an 8-bit photograph (H, W, 3): noise, clipping, curve, bits."""
    if shot.noise > 0:
        radiance = radiance + rng.normal(0, shot.noise, radiance.shape).astype(np.float32)
    clipped = torch.from_numpy(np.ascontiguousarray(np.clip(radiance, 0, 1), dtype=np.float32))
    display = camera_curve(clipped, shot.curve_n, shot.curve_s).numpy()
    image = np.round(display * 255).astype(np.uint8)
    if shot.jpeg_quality is None:
        return image
    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, shot.jpeg_quality])
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])
