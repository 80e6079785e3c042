"""Chosen pixels over time, and how an enlarged region changes from frame to frame (paper, Figures 6 and 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch

from ..functional import rgb_to_lab, white_of
from ..functional.camera import LUMINANCE_WEIGHTS
from ..utils.atomic_write import replace_when_written
from ..utils.choices import PIXEL_CHANNELS
from ..video import FrameSource

matplotlib.use("Agg")
import matplotlib.pyplot as plt

Region = tuple[int, int, int, int]


MOST = 64
"""Rows of curves, and of heat maps: matplotlib draws up to 65,535 pixels."""


def lies_inside(region: Region, size: tuple[int, int]) -> bool:
    """True if a region has a pixel, and all its pixels lie in a picture of (height, width)."""
    left, top, width, height = region
    return min(left, top) >= 0 and min(width, height) >= 1 and left + width <= size[1] and top + height <= size[0]


@matplotlib.rc_context({"text.parse_math": False})  # names may hold a $
def plot_pixels(
    path: str | Path,
    videos: Mapping[str, FrameSource],
    pixels: Sequence[tuple[int, int]],
    *,
    region: Region | None = None,
    frames: Sequence[int] = (),
    channel: str = "luminance",
) -> None:
    """Writes a picture: above a channel of pixels over time, below the changes of a region.

    The first video is drawn as the reference. A row of heat maps for each video shows |frame t - frame t-1| of the
    region, all on one scale: of the channel a or b, or else the mean of R, G and B.

    Args:
        path: The image file.
        videos: Name -> frames; read one after another, in constant memory.
        pixels: (x, y) of the pixels.
        region: (x, y, width, height) that is enlarged; None: the whole picture.
        frames: The t of the heat maps, at least 1.
        channel: 'luminance' (of display values in [0, 1], or of radiance), or 'a' or 'b' of CIE Lab.

    Raises:
        ValueError: If the channel is unknown, a pixel, the region or a frame is outside, or there is nothing to show or
            too much.
    """
    if channel not in PIXEL_CHANNELS:
        raise ValueError(f"channel must be one of {tuple(PIXEL_CHANNELS)}, got {channel!r}")
    if not videos or not (pixels or frames):
        raise ValueError("there is nothing to show: name videos, and pixels or frames")
    if len(pixels) > MOST or len(videos) > MOST:
        raise ValueError(f"{len(videos)} videos and {len(pixels)} pixels do not fit a picture: {MOST} at most of each")
    series: dict[str, np.ndarray] = {}
    changes: dict[str, dict[int, np.ndarray]] = {}
    for name, source in videos.items():
        series[name], changes[name] = _read(name, source, pixels, region, frames, channel)
    figure = plt.figure(figsize=(9, 2.2 * len(pixels) + 1.6 * len(videos) * bool(frames) + 0.6), layout="constrained")
    above, below = _split(figure, len(pixels), len(videos) if frames else 0)
    for k, (x, y) in enumerate(pixels):
        axes = above.add_subplot(len(pixels), 1, k + 1)
        for number, (name, source) in enumerate(videos.items()):
            seconds = np.arange(len(series[name])) / float(source.rate)
            style: dict[str, Any] = (
                dict(color="black", linewidth=2.2, alpha=0.4) if number == 0 else dict(linewidth=1.1)
            )
            axes.plot(seconds, series[name][:, k], label=name, **style)
        axes.set(xlabel="time [s]" if k == len(pixels) - 1 else "", ylabel=PIXEL_CHANNELS[channel])
        axes.set_title(f"pixel ({x}, {y})", loc="left", fontsize="medium")
        axes.margins(x=0)
        if k == 0:
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(videos), fontsize="small", frameon=False)
    if frames:
        brightest = max(float(np.quantile(change, 0.998)) for row in changes.values() for change in row.values())
        grid = below.subplots(len(videos), len(frames), squeeze=False)
        for row, (name, found) in zip(grid, changes.items()):
            row[0].set_ylabel(name)
            for axes, t in zip(row, frames):
                axes.imshow(found[t], vmin=0, vmax=brightest or 1, cmap="magma", interpolation="nearest")
                axes.set(xticks=[], yticks=[])
        for axes, t in zip(grid[0], frames):
            axes.set_title(f"|frame {t} - frame {t - 1}|", fontsize="medium")
    with replace_when_written(path) as partial:
        figure.savefig(partial, dpi=120)
    plt.close(figure)


def _split(figure: Any, above: int, below: int) -> tuple[Any, Any]:
    if not (above and below):
        return figure, figure
    parts = figure.subfigures(2, 1, height_ratios=[2.2 * above, 1.6 * below])
    return parts[0], parts[1]


def _value(pixel: np.ndarray, channel: str) -> float:
    """The value of an RGB pixel in a channel."""
    if channel == "luminance":
        return float(pixel @ LUMINANCE_WEIGHTS)
    return float(_lab(pixel.reshape(1, 1, 3))[0, 0, " ab".index(channel)])


def _lab(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) of display values in [0, 1]."""
    return rgb_to_lab(torch.from_numpy(image.transpose(2, 0, 1))).permute(1, 2, 0).numpy()


def _read(
    name: str,
    source: FrameSource,
    pixels: Sequence[tuple[int, int]],
    region: Region | None,
    frames: Sequence[int],
    channel: str,
) -> tuple[np.ndarray, dict[int, np.ndarray]]:
    height, width = source.size
    left, top, w, h = region = region or (0, 0, width, height)
    if not lies_inside(region, source.size):
        raise ValueError(f"{name}: the region {region} does not lie in {width}x{height} pixels")
    if outside := [(x, y) for x, y in pixels if not (0 <= x < width and 0 <= y < height)]:
        raise ValueError(f"{name}: the pixels {outside} do not lie in {width}x{height} pixels")
    values, found, before, count = [], {}, None, 0
    for count, frame in enumerate(source, start=1):
        image = frame.image.astype(np.float64) / (1 if frame.image.dtype == np.float32 else white_of(frame.image.dtype))
        values.append([_value(image[y, x], channel) for x, y in pixels])
        part = image[top : top + h, left : left + w]
        if channel != "luminance":
            part = _lab(part)[..., [" ab".index(channel)]]
        if count - 1 in frames and before is not None:
            found[count - 1] = np.abs(part - before).mean(axis=-1)
        before = part
    if missing := sorted(set(frames) - set(found)):
        raise ValueError(f"{name}: there is no change to show at frames {missing}, only at 1 to {count - 1}")
    return np.array(values), found
