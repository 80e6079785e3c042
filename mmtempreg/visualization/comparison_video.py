"""Clips side by side in one video file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from ..fileio import replace_when_written

LABEL_HEIGHT = 24


def write_comparison_video(
    path: str | Path, frames: Iterable[Mapping[str, np.ndarray]], fps: float, enlarge: int = 2
) -> None:
    """Writes a video with labelled panels side by side (H.264, or VP9 for .webm).

    Args:
        path: The video file; written under another name first.
        frames: For every frame, label -> (H, W, 3) uint8 RGB.
        fps: Frames per second.
        enlarge: Whole factor by which panels are enlarged, without smoothing.

    Raises:
        ValueError: If there is no frame, or panels differ in size.
    """
    codec = "libvpx-vp9" if Path(path).suffix == ".webm" else "libx264"
    stream: Any = None
    with replace_when_written(path) as partial, av.open(str(partial), "w") as container:
        for panels in frames:
            picture = _side_by_side(panels, enlarge)
            if stream is None:
                stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.options = {"crf": "16"}
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        if stream is None:
            raise ValueError(f"{path}: there is no frame to write")
        container.mux(stream.encode())


def _side_by_side(panels: Mapping[str, np.ndarray], enlarge: int) -> np.ndarray:
    sizes = {panel.shape for panel in panels.values()}
    if len(sizes) != 1:
        raise ValueError(f"panels must have one size, got {sorted(sizes)}")
    columns = []
    for label, panel in panels.items():
        large = panel.repeat(enlarge, axis=0).repeat(enlarge, axis=1)
        strip = np.full((LABEL_HEIGHT, large.shape[1], 3), 24, np.uint8)
        cv2.putText(strip, label, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (235,) * 3, 1, cv2.LINE_AA)
        columns.append(np.vstack([strip, large]))
    picture = np.hstack(columns)
    even = (picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2)  # what 4:2:0 needs
    return np.ascontiguousarray(picture[: even[0], : even[1]])
