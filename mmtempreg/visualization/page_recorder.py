"""Recorder of what a report's page shows: pictures in step, where they change, and pixels over time."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import cv2
import matplotlib
import numpy as np
from torch import Tensor

from ..apis.video_measurement import Moment
from ..functional import luminance, rgb_to_lab, to_pixels
from ..utils.choices import PIXEL_CHANNELS
from ..utils.command_line import PAGE_VIDEO
from ..video import Frame, FrameSource, VideoWriter
from .pixel_plot import Region, lies_inside

MAX_VIDEOS = 6
"""Videos whose pictures and pixels a page holds, the reference included; others are in its table and charts."""

EMBEDDED_FRAMES = 1500
"""Frames whose pictures a page holds in itself: a minute at 25 per second. Beside it, in a folder, all."""

EMBEDDED_BYTES = 13 << 20
"""What the video in a page may take, about: the page stays below the 25 MB that mail takes. Limits the bit rate."""

EMBEDDED_EDGE, SIDE_EDGE = 640, 1280
"""Longest side of a picture in the page, and in the folder beside it; larger ones are reduced."""

MOSAIC_EDGE = 4096
"""Longest side of the picture that holds all others, which browsers decode."""

STORED_VALUES = 3 << 20
"""Values of pixels that a page holds."""

REGION_PIXELS = 96 * 96
"""Of a region whose pixels are all held."""

FULL_CHANGE = 0.1
"""Change along the motion, in parts of the range of values, that is shown as brightest."""

NOT_MEASURED = (60, 90, 130)
"""Colour of the heat map where the motion is not known: not one of its scale, and no grey of its ground."""


class Part(NamedTuple):
    """A part of the picture in pixels."""

    x: int
    y: int
    width: int
    height: int


class PixelGrid(NamedTuple):
    """The pixels whose values are held: every `pitch`-th of a part of the picture, along x and y."""

    part: Part
    pitch: int

    @property
    def columns(self) -> int:
        """Pixels along x."""
        return max(1, self.part.width // self.pitch)

    @property
    def rows(self) -> int:
        """Pixels along y."""
        return max(1, self.part.height // self.pitch)

    @property
    def first(self) -> tuple[int, int]:
        """(x, y) of the first, so that they lie in the middle of the part."""
        left = (self.part.width - 1 - self.pitch * (self.columns - 1)) // 2
        top = (self.part.height - 1 - self.pitch * (self.rows - 1)) // 2
        return self.part.x + left, self.part.y + top

    def indices(self, picture_width: int) -> np.ndarray:
        """(rows * columns,) of the flattened picture."""
        x, y = (start + self.pitch * np.arange(n) for start, n in zip(self.first, (self.columns, self.rows)))
        return (y[:, None] * picture_width + x[None, :]).ravel()


class PageRecorder:
    """Watches a measurement (`measure_videos(watch=...)`) and keeps what its page shows; a context manager.

    All videos go into one, a mosaic of a tile for each and a tile for its change along the motion: so they are in step
    whatever the browser does.

    Args:
        sources: The videos in the order of the measurement, the reference first if there is one.
        assets: Folder for the video, beside the page; None: the page holds it.
        region: All pixels of this part of the picture are kept over time; None: a grid over all of it.
        channels: What is compared (`measure_videos`): of 'ab' the pixels' a is kept, else their luminance.

    Raises:
        ValueError: If the region is not in the picture, or has too many pixels.
    """

    def __init__(
        self,
        sources: Sequence[FrameSource],
        assets: Path | None = None,
        *,
        region: Region | None = None,
        channels: str = "luminance",
    ) -> None:
        self.channel = "a" if channels == "ab" else "luminance"
        first = sources[0]
        self.size, self.rate, self.assets = (first.size[0], first.size[1]), first.rate, assets
        self.num_videos = min(len(sources), MAX_VIDEOS)
        total = first.num_frames or first.count()
        self.max_frames = total if assets else min(total, EMBEDDED_FRAMES)
        self.tile = _tile(self.size, EMBEDDED_EDGE if assets is None else SIDE_EDGE, 2 * self.num_videos)
        self.columns = max(1, min(2 * self.num_videos, MOSAIC_EDGE // self.tile[1]))
        self.grid = _grid(self.size, self.max_frames * self.num_videos, region)
        self._indices = self.grid.indices(self.size[1])
        self._values: list[np.ndarray] = []
        self._temporary: tempfile.TemporaryDirectory | None = None

    @property
    def num_frames(self) -> int:
        """Number of frames that were kept."""
        return len(self._values)

    @property
    def scale(self) -> float:
        """Value of one step of the numbers that are held."""
        return 0.8 if self.channel == "a" else 1 / 255  # sRGB has an a from -87 to 99

    @property
    def offset(self) -> float:
        """Value of a number 0 that is held."""
        return -102.0 if self.channel == "a" else 0.0

    @property
    def values(self) -> np.ndarray:
        """(videos, cells, frames) uint8: `offset + scale * value` is what `channel` says."""
        return np.stack(self._values, axis=-1) if self._values else np.zeros((self.num_videos, 0, 0), np.uint8)

    def __enter__(self) -> PageRecorder:
        self._temporary = tempfile.TemporaryDirectory(prefix="mmtempreg-report-")
        folder = self.assets or Path(self._temporary.name)
        self.video = folder / PAGE_VIDEO
        seconds = max(self.max_frames / float(self.rate), 1.0)
        # frames stand alone now and then, and none leans on a later one: stepping through them is quick and exact
        options = {"g": "12", "bf": "0", "preset": "veryfast", "sc_threshold": "0"}
        if self.assets is None:
            limit = int(8 * EMBEDDED_BYTES / seconds)
            options |= {"maxrate": str(limit), "bufsize": str(2 * limit)}
        try:
            self._writer = VideoWriter(self.video, self.rate, crf=20, encoder_options=options, keep=False)
            self._writer.__enter__()
        except BaseException:
            self._temporary.cleanup()
            raise
        return self

    def __call__(self, moment: Moment) -> None:
        """Takes the next frame."""
        index = self.num_frames
        if index >= self.max_frames:
            return
        shown, changes = moment.shown[: self.num_videos], moment.changes[: self.num_videos]
        pictures = [to_pixels(picture) for picture in shown]
        heat_maps = [heat_map(picture, change) for picture, change in zip(pictures, changes)]
        tiles = [self._reduced(picture) for picture in (*pictures, *heat_maps)]
        height, width = self.tile
        mosaic = np.zeros((-(-len(tiles) // self.columns) * height, self.columns * width, 3), np.uint8)
        for number, tile in enumerate(tiles):
            row, column = divmod(number, self.columns)
            mosaic[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
        self._writer.write(Frame(mosaic, index / self.rate))
        self._values.append(np.stack([self._kept(one.flatten(1)[:, self._indices]) for one in shown]))

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the video; the page that is written from it comes after."""
        try:
            self._writer.__exit__(kind, value, trace)
        finally:
            if kind is not None:
                self.close()

    def close(self) -> None:
        """Removes what is temporary."""
        if self._temporary:
            self._temporary.cleanup()

    def _kept(self, pixels: Tensor) -> np.ndarray:
        """(3, cells) display values to the values that are held of them."""
        if self.channel == "a":
            values = rgb_to_lab(pixels[:, None, :].double())[1, 0]
        else:
            values = luminance(pixels[:, None, :])[0, 0]
        return ((values - self.offset) / self.scale).round().clamp(0, 255).byte().numpy()

    def _reduced(self, picture: np.ndarray) -> np.ndarray:
        height, width = self.tile
        if picture.shape[:2] == self.tile:
            return picture
        if picture.shape[0] < height or picture.shape[1] < width:  # an odd side, made even
            return np.pad(picture, ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0)), "edge")
        return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def heat_map(picture: np.ndarray, change: Tensor | None) -> np.ndarray:
    """Draws where a picture changes, in perceptually even colours, over the picture in dark grey.

    Args:
        picture: (H, W, 3) uint8 RGB.
        change: (H, W) in parts of the range of values, as in `Moment`.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    if change is None:
        return np.full_like(picture, NOT_MEASURED)
    share = (change / FULL_CHANGE).clamp(0, 1).sqrt().numpy()
    colours = heat_colours(np.nan_to_num(share), cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
    colours[np.isnan(share)] = NOT_MEASURED
    return colours


def heat_colours(share: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Colours (..., 3) uint8 of the heat map.

    Args:
        share: Square root of the change over `FULL_CHANGE`; from 0, the ground alone, to 1.
        grey: The ground, 0 to 255, which is darkened so that it is not taken for a change.
    """
    cover = np.clip(4 * share, 0, 1)[..., None]
    ground = 25 + 0.25 * grey[..., None]
    return np.round((1 - cover) * ground + cover * _COLOURS[np.round(255 * share).astype(int)]).astype(np.uint8)


_COLOURS = matplotlib.colormaps["inferno"](np.linspace(0.25, 1, 256), bytes=True)[:, :3]


def _tile(size: tuple[int, int], edge: int, number: int) -> tuple[int, int]:
    """(height, width) of a tile, both even, so that all of them fit into the mosaic."""
    for longest in range(edge, 15, -16):
        scale = min(1.0, longest / max(size))
        height, width = (max(2, 2 * -(-round(n * scale) // 2)) for n in size)
        columns = MOSAIC_EDGE // width
        if columns and -(-number // columns) * height <= MOSAIC_EDGE:
            break
    return height, width


def _grid(size: tuple[int, int], pictures: int, region: Region | None) -> PixelGrid:
    height, width = size
    if region is None:
        cells = max(1, STORED_VALUES // max(pictures, 1))
        return PixelGrid(Part(0, 0, width, height), math.ceil((height * width / cells) ** 0.5))
    *_, w, h = region
    if not lies_inside(region, size):
        raise ValueError(
            f"the region {','.join(map(str, region))} (x,y,width,height) is not in {width}x{height} pixels"
        )
    if w * h > REGION_PIXELS:
        raise ValueError(f"a region has {REGION_PIXELS} pixels at most, {w}x{h} are {w * h}")
    return PixelGrid(Part(*region), 1)


def mosaic_of(recorder: PageRecorder) -> dict[str, Any]:
    """Layout of the tiles, for the page's script."""
    height, width = recorder.tile
    kept = dict(what=PIXEL_CHANNELS[recorder.channel], scale=recorder.scale, offset=recorder.offset)
    return dict(tileWidth=width, tileHeight=height, columns=recorder.columns, videos=recorder.num_videos, values=kept)
