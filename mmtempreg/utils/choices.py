"""Choices of tools' options, apart from the code for them: `--help` is answered without importing that."""

from __future__ import annotations

IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".avif", ".jp2", ".ppm", ".pgm", ".hdr", ".exr"
)  # fmt: skip

MATRICES = {"bt601": 5, "bt709": 1}
"""Name of a video's colour matrix -> its code in ISO 23091-2."""

LAYOUTS = ("side-by-side", "split-screen")
"""Layouts of several videos in one."""

PIXEL_CHANNELS = dict(luminance="luminance", a="a of Lab", b="b of Lab")
"""Channels that can be drawn over time, and the titles of their axes."""

REALESRGAN = {"realesrgan-x4plus": 23, "realesrgan-x4plus-anime": 6, "realsr-df2k": 23}
"""Published generator of Real-ESRGAN, or of RealSR -> its residual-in-residual dense blocks."""

SPAN = {
    "spanx2_ch48": (48, 2),
    "spanx2_ch52": (52, 2),
    "spanx4_ch48": (48, 4),
    "spanx4_ch52": (52, 4),
    "2xHFA2kSPAN_27k": (48, 2),
    "ClearReality4x": (48, 4),
}
"""Published SPAN -> its channels and scale."""
