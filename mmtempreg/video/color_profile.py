"""ICC profiles: whether they are sRGB's, and what they are called."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

TOLERANCE = 2
"""Levels of 8 bits by which colours of a profile may differ from sRGB's for it to be called that."""


@lru_cache(maxsize=8)
def other_than_srgb(icc: bytes) -> str | None:
    """The name of a profile whose colours differ from sRGB's, or that is not of RGB values; None: it is sRGB's."""
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(icc))
        name = ImageCms.getProfileDescription(profile).strip() or "without a name"
        if not is_rgb(icc):
            return name
        levels = np.stack(np.meshgrid(*[np.arange(0, 256, 51, dtype=np.uint8)] * 3), axis=-1).reshape(1, -1, 3)
        colors = Image.fromarray(levels)
        converted = ImageCms.profileToProfile(
            colors, profile, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
    except (OSError, ImageCms.PyCMSError) as error:
        return f"that cannot be read ({error})"
    difference = np.abs(np.asarray(converted).astype(int) - levels).max()
    return name if difference > TOLERANCE else None


def is_rgb(icc: bytes) -> bool:
    """True if a profile is for RGB values, and not for grey or for inks."""
    return icc[16:20] == b"RGB "
