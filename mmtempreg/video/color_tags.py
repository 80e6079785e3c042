"""Colour tags of a video, and its conversion to RGB."""

from __future__ import annotations

from typing import Any

from av.video.reformatter import Interpolation

from ..utils.choices import MATRICES

CONVERSION_THREADS = 1
"""For colours. FFmpeg keeps its threads for the next picture, and a data loader's worker, a fork, would wait for those
that the process before it had."""

ACCURATE = int(Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT)
"""Flags of FFmpeg's conversion between RGB and YUV. Its faster default darkens a 4:2:0 video by a level."""

WHITE_OF_16_BITS = 65280
"""White after FFmpeg has turned more than 8 bits of YUV to RGB of 16 bits, and takes for white on the way
back: 255 x 256. In full range, and of RGB, grey and alpha, it is the largest value, shifted."""

FULL_RANGE = 2

UNSPECIFIED = (0, 2)
KNOWN_MATRICES = (1, 4, 5, 6, 7, 9)
HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}


def check_range(name: str, frame: Any) -> None:
    """Raises ValueError if a video is of high dynamic range, which a network of display values would wash out."""
    curve = HIGH_DYNAMIC_RANGE.get(int(frame.color_trc))
    if curve or any("DOVI" in kind for kind in side_data(frame)):
        raise ValueError(
            f"{name} is of high dynamic range ({curve or 'Dolby Vision'}), and would look washed out: convert it "
            "first, as with ffmpeg -i IN -vf zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable,"
            "zscale=t=bt709:m=bt709:r=tv,format=yuv420p OUT.mp4"
        )


def matrix_of(name: str, frame: Any, forced: str | None) -> tuple[int | None, str]:
    """The code of the matrix that turns a video's frames to RGB, None for RGB itself, and what there is to say of it.

    Raises:
        ValueError: If it cannot be converted.
    """
    if frame.format.name.startswith(("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "pal8", "gray", "mono", "ya")):
        return None, ""
    if forced:
        return MATRICES[forced], ""
    code = int(frame.colorspace)
    if code in UNSPECIFIED:
        chosen = "bt709" if frame.height >= 720 else "bt601"
        return MATRICES[chosen], f"does not tell its colour matrix: taken for {chosen}, as players do (--input-color)"
    if code not in KNOWN_MATRICES:
        raise ValueError(
            f"{name} has the colour matrix {code} of ISO 23091-2, which cannot be converted: --input-color"
        )
    return code if code != 6 else 5, ""  # SMPTE 170M is BT.601


def side_data(frame: Any) -> dict[str, bytes]:
    """Kind -> content of what comes with a frame."""
    return {side.type.name: bytes(side) for side in (frame.side_data[i] for i in range(len(frame.side_data)))}
