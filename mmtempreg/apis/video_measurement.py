"""Measures how much processed videos flicker, against a reference or without one, in one pass over their frames."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..functional import (
    TemporalEnergies,
    TemporalHighpass,
    log_radiance,
    luminance,
    rgb_to_lab,
    tone_map,
)
from ..functional.optical_flow import estimate_flow, read_flow
from ..functional.temporal import SIGMA
from ..functional.video_metrics import (
    ColorDistributionMeter,
    FlowDifferenceMeter,
    PSNRMeter,
    SSIMMeter,
    WarpErrorMeter,
)
from ..video import Frame, FrameSource
from ..video.reader import check_steady

CHANNELS = ("luminance", "rgb", "ab")

METRICS = {
    "psnr": "PSNR [dB]",
    "ssim": "SSIM",
    "S": "S",
    "R": "R",
    "warp_error": "E_warp",
    "tof": "tOF [px]",
    "cdc": "CDC",
    "cvvdp": "ColorVideoVDP [JOD]",
}
"""Name -> heading in tables."""

WITHOUT_REFERENCE = ("warp_error", "cdc")

DEFAULT_METRICS = tuple(name for name in METRICS if name != "cvvdp")

GRID = 24
"""Pixels along either side of the grid that is remembered over time for pictures."""

_HDR_PEAK = 10.0  # as in `SaturatedPSNR`


@dataclass
class VideoScores:
    """What was measured of one video.

    Attributes:
        name: Of the video.
        values: Metric -> value; `energy`, `reference_energy` and `error_energy` are the means of D per frame and value
            that S and R are made of.
        frames: How many there are.
        flicker_over_time: (T,) root mean square over the frame of the high-pass of the error; of the video itself
            without a reference.
        flicker_map: (H, W) the same over time, for every pixel.
        pixels: (T, n) luminance of a grid of pixels, for pictures.
        positions: (n, 2) where they are, (x, y).
    """

    name: str
    values: dict[str, float] = field(default_factory=dict)
    frames: int = 0
    flicker_over_time: np.ndarray = field(default_factory=lambda: np.zeros(0))
    flicker_map: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    pixels: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    positions: np.ndarray = field(default_factory=lambda: np.zeros((0, 2), int))


@dataclass
class Measurement:
    """All that `measure_videos` found.

    Attributes:
        rate: Frames per second.
        size: (H, W).
        channels: What S, R and PSNR were taken of.
        reference: Pixels and flicker of the reference; None without one.
        videos: Scores, in the order given.
    """

    rate: Fraction
    size: tuple[int, int]
    channels: str
    reference: VideoScores | None
    videos: list[VideoScores]


class _Stream:
    """A video, its high-pass, and what is remembered of it."""

    def __init__(self, source: FrameSource, rate: Fraction, sigma: float, grid: Tensor) -> None:
        self.name, self.frames = source.name, check_steady(iter(source), rate, source.name)
        self.highpass = TemporalHighpass(float(rate), sigma)
        self.grid = grid
        self.pixels: list[Tensor] = []

    def next(self) -> Frame | None:
        return next(self.frames, None)


class _Flicker:
    """Sums of high-pass energies, over time and over the picture."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.total = 0.0
        self.over_time: list[float] = []
        self.map = torch.zeros(size, dtype=torch.float64)

    def add(self, highpass: Tensor) -> None:
        squares = highpass.square()
        self.total += float(squares.sum(dtype=torch.float64))
        self.over_time.append(math.sqrt(float(squares.mean(dtype=torch.float64))))
        self.map += squares.mean(dim=0)


def measure_videos(
    processed: Mapping[str, FrameSource],
    reference: FrameSource | None = None,
    metrics: Sequence[str] | None = None,
    channels: str = "luminance",
    sigma: float = SIGMA,
    flow_folder: str | Path | None = None,
    stops: float = 0.0,
    progress: Callable[[Iterator[Any]], Iterator[Any]] = iter,
) -> Measurement:
    """Measures videos, frame by frame and in constant memory.

    Args:
        processed: Name -> a processed video.
        reference: What they should be, or what they were made from. None: only `WITHOUT_REFERENCE` is measured.
        metrics: Names of `METRICS`. Default: all but ColorVideoVDP, which is slow.
        channels: What S, R, PSNR and SSIM are taken of: 'luminance' (weighted sum of display values), 'rgb', or 'ab'
            (CIE Lab a/110 and b/110; SSIM is not defined for these and left out).
        sigma: Standard deviation of the temporal Gaussian in seconds.
        flow_folder: .flo files of the exact flow from each frame to the next, in natural order; those of the way back in
            the folder `backward` in it. Default: OpenCV's DIS on the reference.
        stops: Exposure at which radiance (.hdr, .exr) is shown to the metrics of display values. S, R and PSNR of
            radiance are taken of ln(v + 1/255).
        progress: Wraps the iterator over frames, to show how far it is.

    Raises:
        ValueError: If the videos differ in size, length, rate or kind of frames, a rate varies, a metric is unknown,
            needs a reference that is not there, or the clip is too short for anything to be measured.
    """
    names = list(metrics or DEFAULT_METRICS)
    unknown = sorted(set(names) - set(METRICS))
    if unknown:
        raise ValueError(f"unknown metrics {unknown}: there are {sorted(METRICS)}")
    if channels not in CHANNELS:
        raise ValueError(f"channels must be one of {CHANNELS}, got {channels!r}")
    if reference is None:
        if metrics is not None and set(names) - set(WITHOUT_REFERENCE):
            raise ValueError(f"{sorted(set(names) - set(WITHOUT_REFERENCE))} need a reference")
        names = [name for name in names if name in WITHOUT_REFERENCE]
    if channels == "ab" and "ssim" in names:
        names.remove("ssim")
    if not processed:
        raise ValueError("there is no video to measure")
    sources = [*([reference] if reference else []), *processed.values()]
    rate = _check_alike(sources)
    size = sources[0].size
    grid = _grid(size)
    streams = [_Stream(source, rate, sigma, grid) for source in sources]
    rows = [_Row(name, names, size, _flow(flow_folder), channels, rate, reference is not None) for name in processed]
    reference_flicker = _Flicker(size) if reference else None

    def together() -> Iterator[list[Frame]]:
        count = 0
        while True:
            frames = [stream.next() for stream in streams]
            ended = [stream.name for stream, frame in zip(streams, frames) if frame is None]
            if len(ended) == len(frames):
                return
            if ended:
                longer = next(stream.name for stream, frame in zip(streams, frames) if frame is not None)
                raise ValueError(f"{ended[0]} ends after {count} frames, {longer} goes on: cut them to the same length")
            count += 1
            yield [frame for frame in frames if frame is not None]

    count = 0
    for frames in progress(together()):
        radiance = {frame.image.dtype == np.float32 for frame in frames}
        if len(radiance) > 1:
            raise ValueError("radiance (.hdr, .exr) cannot be compared with display values: tone-map it first")
        images = [_tensor(frame.image) for frame in frames]
        shown = (
            [torch.from_numpy(tone_map(x, stops)).permute(2, 0, 1) / 255 for x in images]
            if radiance == {True}
            else images
        )
        values = [_channels(x, channels, radiance == {True}) for x in images]
        highs = [stream.highpass.push(value) for stream, value in zip(streams, values)]
        for stream, x in zip(streams, shown):
            stream.pixels.append(luminance(x).flatten()[grid])
        _add_highs(rows, reference_flicker, highs)
        for k, row in enumerate(rows):
            mine = k + (reference is not None)
            row.add(shown[mine], values[mine], *((shown[0], values[0]) if reference else (None, None)))
        count += 1
    _add_highs(rows, reference_flicker, [stream.highpass.flush() for stream in streams])
    positions = np.stack([(grid % size[1]).numpy(), (grid // size[1]).numpy()], axis=1)
    scores = [row.scores(reference_flicker, count) for row in rows]
    base = None
    if reference_flicker:
        base = VideoScores("reference", {"energy": reference_flicker.total}, count)
        base.flicker_over_time = np.array(reference_flicker.over_time)
        base.flicker_map = reference_flicker.map.div(count).sqrt().numpy()
    for score, stream in zip([*([base] if base else []), *scores], streams):
        score.pixels, score.positions = torch.stack(stream.pixels).numpy(), positions
    return Measurement(rate, size, channels, base, scores)


def _check_alike(sources: Sequence[FrameSource]) -> Fraction:
    first = sources[0]
    for other in sources[1:]:
        for what in ("size", "rate", "num_frames"):
            a, b = getattr(first, what), getattr(other, what)
            if what == "rate" and abs(float(a) - float(b)) < 1e-3 * float(a):
                continue  # 29.97 is written in several ways
            if a != b and None not in (a, b):
                raise ValueError(f"{first.name} and {other.name} differ in {what.replace('_', ' ')}: {a} and {b}")
    return first.rate


def _grid(size: tuple[int, int]) -> Tensor:
    """Indices of a grid of pixels in the flattened picture."""
    y, x = (((torch.arange(min(GRID, n)) + 0.5) * n / min(GRID, n)).long() for n in size)
    return (y[:, None] * size[1] + x[None, :]).flatten()


def _tensor(image: np.ndarray) -> Tensor:
    x = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float32))
    return x if image.dtype == np.float32 else x / np.iinfo(image.dtype).max


def _channels(x: Tensor, channels: str, radiance: bool) -> Tensor:
    if channels == "ab":
        if radiance:
            raise ValueError("ab is of display values: tone-map radiance first")
        return rgb_to_lab(x)[1:] / 110
    value = luminance(x) if channels == "luminance" else x
    return log_radiance(value.clamp(min=0)) if radiance else value


def _flow(folder: str | Path | None) -> Callable[[], Callable[[Tensor, Tensor], Tensor]]:
    """Makes functions (a, b) -> flow; all rows share the estimates of a pair of frames."""
    if folder is None:
        shared = lru_cache(maxsize=4)(estimate_flow)  # tensors are told apart by identity
        return lambda: shared
    ways = [sorted(path.glob("*.flo"), key=lambda f: f.name) for path in (Path(folder), Path(folder) / "backward")]
    if not ways[0] or len(ways[0]) != len(ways[1]):
        counts = f"{len(ways[0])} and {len(ways[1])}"
        raise ValueError(f"{folder} must hold .flo files, and as many in {folder}/backward; there are {counts}")

    def from_files() -> Callable[[Tensor, Tensor], Tensor]:
        files = (path for pair in zip(*ways) for path in pair)  # a meter asks there, then back

        def flow(a: Tensor, b: Tensor) -> Tensor:
            path = next(files, None)
            if path is None:
                raise ValueError(f"{folder} holds fewer flows than there are pairs of frames")
            found = read_flow(path)
            if found.shape[1:] != a.shape[1:]:
                raise ValueError(f"{path} is of {tuple(found.shape[1:])} pixels, the frames of {tuple(a.shape[1:])}")
            return found

        return flow

    return from_files


class _Row:
    """The meters of one processed video."""

    def __init__(
        self,
        name: str,
        metrics: Sequence[str],
        size: tuple[int, int],
        flow: Callable[[], Callable[[Tensor, Tensor], Tensor]],
        channels: str,
        rate: Fraction,
        has_reference: bool,
    ) -> None:
        self.name, self.metrics, self.has_reference = name, metrics, has_reference
        self.error, self.own = _Flicker(size), _Flicker(size)
        self.channels = channels
        self.meters: dict[str, Any] = {}
        if "psnr" in metrics:
            self.meters["psnr"] = PSNRMeter(peak=2.0 if channels == "ab" else 1.0)
        if "ssim" in metrics:
            self.meters["ssim"] = SSIMMeter()
        if "warp_error" in metrics:
            self.meters["warp_error"] = WarpErrorMeter(flow())
        if "tof" in metrics:
            self.meters["tof"] = FlowDifferenceMeter(_shared_farneback)
        if "cdc" in metrics:
            self.meters["cdc"] = ColorDistributionMeter()
        if "cvvdp" in metrics:
            from ..functional.video_vdp import VideoVDPMeter

            self.meters["cvvdp"] = VideoVDPMeter(float(rate))

    def add(self, shown: Tensor, value: Tensor, reference: Tensor | None, reference_value: Tensor | None) -> None:
        for name, meter in self.meters.items():
            if name == "psnr":
                meter.update(value, reference_value)
            elif name == "ssim":
                pair = (shown, reference) if self.channels == "rgb" else (luminance(shown), luminance(reference))
                meter.update(*pair)
            elif name == "cdc":
                meter.update(shown)
            else:
                meter.update(shown, reference)

    def scores(self, reference: _Flicker | None, frames: int) -> VideoScores:
        shown = self.error if self.has_reference else self.own
        score = VideoScores(self.name, frames=frames)
        score.flicker_over_time = np.array(shown.over_time)
        score.flicker_map = shown.map.div(frames).sqrt().numpy()
        score.values["energy"] = self.own.total
        if reference is not None:
            energies = TemporalEnergies(reference.total, self.own.total, self.error.total)
            found = {"S": energies.smoothness, "R": energies.residual}
            score.values |= {name: found[name] for name in self.metrics if name in found}
            score.values |= {"reference_energy": energies.reference, "error_energy": energies.error}
        for name, meter in self.meters.items():
            score.values[name] = meter.value(meter.finish())
        return score


_shared_farneback = lru_cache(maxsize=4)(partial(estimate_flow, method="farneback"))


def _add_highs(rows: Sequence[_Row], reference: _Flicker | None, highs: Sequence[Sequence[Tensor]]) -> None:
    for together in zip(*highs):
        if reference is not None:
            reference.add(together[0])
            together = together[1:] if False else together
        for k, row in enumerate(rows):
            own = together[k + (reference is not None)]
            row.own.add(own)
            if reference is not None:
                row.error.add(own - together[0])
