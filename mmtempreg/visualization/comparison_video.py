"""Clips beside each other, or in one picture, in one video file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from ..utils.choices import LAYOUTS
from ..video import Frame, VideoWriter

LABEL_HEIGHT = 24


NARROWEST = 16
"""Pixels of a strip of a split screen, on average."""


def write_comparison_video(
    path: str | Path,
    frames: Iterable[Mapping[str, np.ndarray]],
    fps: float | Fraction,
    *,
    enlarge: int = 2,
    layout: str = "side-by-side",
    edges: Sequence[float] | None = None,
) -> None:
    """Writes a video with labelled panels (H.264, or VP9 for .webm).

    Args:
        path: The video file; written under another name first.
        frames: For every frame, label -> (H, W, 3) uint8 RGB.
        fps: Frames per second.
        enlarge: Whole factor by which panels are enlarged, without smoothing.
        layout: 'side-by-side', or 'split-screen': one picture in vertical strips, each of another panel.
        edges: Where the strips of a split screen meet, in parts of the width (`edges_by_change`); None: evenly.

    Raises:
        ValueError: If there is no frame, panels differ in size or are too many to split a picture into, or the layout
            is unknown.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout must be one of {LAYOUTS}, got {layout!r}")
    rate = Fraction(fps).limit_denominator(1001)
    with VideoWriter(path, rate) as writer:
        for index, panels in enumerate(frames):
            sizes = {panel.shape for panel in panels.values()}
            if len(sizes) != 1:
                raise ValueError(f"panels must have one size, got {sorted(sizes)}")
            width = next(iter(sizes))[1] * enlarge
            if layout == "split-screen" and width < NARROWEST * len(panels):
                raise ValueError(
                    f"{width} pixels are too few for {len(panels)} strips: show fewer, or enlarge them (--enlarge)"
                )
            large = {label: panel.repeat(enlarge, axis=0).repeat(enlarge, axis=1) for label, panel in panels.items()}
            picture = _side_by_side(large) if layout == "side-by-side" else _split_screen(large, edges)
            even = (picture.shape[0] // 2 * 2, picture.shape[1] // 2 * 2)  # what most players need
            writer.write(Frame(np.ascontiguousarray(picture[: even[0], : even[1]]), index / rate))


def edges_by_change(frames: Iterable[Mapping[str, np.ndarray]]) -> list[float]:
    """Chooses where to split the picture, so that each strip has flicker to see, or to miss.

    What counts is by how much the panels differ in their changes from frame to frame: motion, which they share, does
    not. Each strip gets as much of it, but is a fifth of its even share wide at least.

    Args:
        frames: For every frame, label -> (H, W, 3), as in `write_comparison_video`.

    Returns:
        Edges between the strips, in parts of the width.
    """
    columns, before = np.zeros(1), None
    number = 1
    for panels in frames:
        grey = np.stack([panel.mean(axis=2) for panel in panels.values()])
        number = len(grey)
        if before is not None:
            columns = columns + (grey - before).var(axis=0).sum(axis=0)
        before = grey
    even = np.arange(1, number) / number
    so_far = np.concatenate([[0], np.cumsum(columns)])
    if so_far[-1] == 0:
        return even.tolist()
    balanced = np.interp(even * so_far[-1], so_far, np.linspace(0, 1, len(so_far)))
    return (0.2 * even + 0.8 * balanced).tolist()


def _side_by_side(panels: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.hstack([np.vstack([_label(label, panel.shape[1]), panel]) for label, panel in panels.items()])


def _split_screen(panels: Mapping[str, np.ndarray], edges: Sequence[float] | None) -> np.ndarray:
    width = next(iter(panels.values())).shape[1]
    inner = np.arange(1, len(panels)) / len(panels) if edges is None else edges
    columns = [round(edge * width) for edge in (0, *inner, 1)]
    strips = []
    for (label, panel), left, right in zip(panels.items(), columns, columns[1:]):
        strip = np.vstack([_label(label, right - left), panel[:, left:right]])
        if right < width:
            strip[LABEL_HEIGHT:, -2:] = 255
        strips.append(strip)
    return np.hstack(strips)


def _label(text: str, width: int) -> np.ndarray:
    strip = np.full((LABEL_HEIGHT, width, 3), 24, np.uint8)
    cv2.putText(strip, text, (6, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (235,) * 3, 1, cv2.LINE_AA)
    return strip
