"""What options of tools offer, apart from what does it: `--help` and a mistake are answered without importing that."""

from __future__ import annotations

IMAGE_SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".avif", ".jp2", ".ppm", ".pgm", ".hdr", ".exr"
)  # fmt: skip

MATRICES = {"bt601": 5, "bt709": 1}
"""Name of a video's colour matrix -> its code in ISO 23091-2."""

LAYOUTS = ("side-by-side", "split-screen")
"""Of several videos in one."""

PIXEL_CHANNELS = dict(luminance="luminance", a="a of Lab", b="b of Lab")
"""What can be drawn over time, and the title of its axis."""

REALESRGAN = {"realesrgan-x4plus": 23, "realesrgan-x4plus-anime": 6, "realsr-df2k": 23}
"""Published generator of Real-ESRGAN -> its residual-in-residual dense blocks."""
