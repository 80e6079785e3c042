"""Clips beside each other, or in one picture, in one video file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from ..video import Frame, VideoWriter

LABEL_HEIGHT = 24

LAYOUTS = ("side-by-side", "split-screen")


def write_comparison_video(
    path: str | Path,
    frames: Iterable[Mapping[str, np.ndarray]],
    fps: float | Fraction,
    enlarge: int = 2,
    layout: str = "side-by-side",
) -> None:
    """Writes a video with labelled panels (H.264, or VP9 for .webm).

    Args:
        path: The video file; written under another name first.
        frames: For every frame, label -> (H, W, 3) uint8 RGB.
        fps: Frames per second.
        enlarge: Whole factor by which panels are enlarged, without smoothing.
        layout: 'side-by-side', or 'split-screen': one picture in vertical strips, each of another panel.

    Raises:
        ValueError: If there is no frame, panels differ in size, or the layout is unknown.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout must be one of {LAYOUTS}, got {layout!r}")
    rate = Fraction(fps).limit_denominator(1001)
    with VideoWriter(path, rate) as writer:
        for index, panels in enumerate(frames):
            sizes = {panel.shape for panel in panels.values()}
            if len(sizes) != 1:
                raise ValueError(f"panels must have one size, got {sorted(sizes)}")
            large = {label: panel.repeat(enlarge, axis=0).repeat(enlarge, axis=1) for label, panel in panels.items()}
            picture = _side_by_side(large) if layout == "side-by-side" else _split_screen(large)
            even = (picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2)  # what most players need
            writer.write(Frame(np.ascontiguousarray(picture[: even[0], : even[1]]), index / rate))


def _side_by_side(panels: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.hstack([np.vstack([_label(label, panel.shape[1]), panel]) for label, panel in panels.items()])


def _split_screen(panels: Mapping[str, np.ndarray]) -> np.ndarray:
    width = next(iter(panels.values())).shape[1]
    edges = [round(k * width / len(panels)) for k in range(len(panels) + 1)]
    strips = []
    for (label, panel), left, right in zip(panels.items(), edges, edges[1:]):
        strip = np.vstack([_label(label, right - left), panel[:, left:right]])
        if right < width:
            strip[LABEL_HEIGHT:, -2:] = 255
        strips.append(strip)
    return np.hstack(strips)


def _label(text: str, width: int) -> np.ndarray:
    strip = np.full((LABEL_HEIGHT, width, 3), 24, np.uint8)
    cv2.putText(strip, text, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (235,) * 3, 1, cv2.LINE_AA)
    return strip
