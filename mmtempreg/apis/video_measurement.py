"""How much processed videos flicker, against a reference or without one, in one pass over their frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..functional import TemporalEnergies, TemporalHighpass, log_radiance, luminance, rgb_to_lab, to_display
from ..functional.color import AB_SCALE
from ..functional.optical_flow import estimate_flow, read_flow
from ..functional.temporal import SIGMA, Piece
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
    "vdp": "JOD",
}
"""Name -> heading in tables."""

WITHOUT_REFERENCE = ("warp_error", "cdc")

ON_REQUEST = ("vdp",)
"""Not among the default: needs a package of its own, and takes longer than all others together."""

GRID = 24
"""Pixels along either side of the grid that is remembered over time, for pictures."""

Flow = Callable[[Tensor, Tensor], Tensor]


@dataclass
class VideoScores:
    """What was measured of one video.

    Attributes:
        name: Of the video.
        values: Name of the metric -> value.
        energies: Sums of D over all frames and values, that S and R are made of.
        flicker_over_time: (T,) root mean square over the picture of the high-pass: of the error, or of the video itself
            if there is no reference or it is the reference.
        flicker_map: (H, W), the same over time.
        pixels: (T, n) luminance of a grid of pixels.
    """

    name: str
    values: dict[str, float] = field(default_factory=dict)
    energies: TemporalEnergies = field(default_factory=TemporalEnergies)
    flicker_over_time: np.ndarray = field(default_factory=lambda: np.zeros(0))
    flicker_map: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    pixels: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))


@dataclass
class Measurement:
    """All that `measure_videos` found.

    Attributes:
        rate: Frames per second.
        size: (H, W).
        num_frames: Length of the videos.
        channels: What S, R and PSNR were taken of.
        positions: (n, 2), the pixels that `VideoScores.pixels` are of, (x, y).
        reference: The reference's flicker and pixels; None without one.
        videos: Scores, in the order given.
    """

    rate: Fraction
    size: tuple[int, int]
    num_frames: int
    channels: str
    positions: np.ndarray
    reference: VideoScores | None
    videos: list[VideoScores]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Headings and rows of a table; without a reference a last column has the root mean square of the high-pass."""
        names = list(self.videos[0].values)
        headings = ["video", *(METRICS[name] for name in names)]
        rows = [[video.name, *(_number(name, video.values[name]) for name in names)] for video in self.videos]
        if not self.reference:
            headings.append("flicker")
            for row, video in zip(rows, self.videos):
                row.append(f"{np.sqrt(np.mean(video.flicker_over_time**2)):.5f}")
        return headings, rows


def _number(name: str, value: float) -> str:
    return f"{value:.2f}" if name == "psnr" else f"{value:.3f}" if name in ("S", "R") else f"{value:.4g}"


def measure_videos(
    processed: Mapping[str, FrameSource],
    reference: FrameSource | None = None,
    metrics: Sequence[str] | None = None,
    channels: str = "luminance",
    sigma: float = SIGMA,
    flow_folder: str | Path | None = None,
    stops: float = 0.0,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> Measurement:
    """Measures videos frame by frame.

    Args:
        processed: Name -> a processed video.
        reference: What they should be. None: only `WITHOUT_REFERENCE` is measured, and the energy of the video.
        metrics: Names of `METRICS`. Default: all that can be measured, but for `ON_REQUEST`.
        channels: What S, R and PSNR are taken of: 'luminance' (weighted sum of display values), 'rgb', or 'ab' (CIE Lab
            a/110 and b/110, peak 2). SSIM is of luminance unless this is 'rgb'.
        sigma: Standard deviation of the temporal Gaussian in seconds.
        flow_folder: .flo files of the exact flow from each frame of the reference to the next, in order of their names,
            and of the way back in the folder `backward` in it. Default: OpenCV's DIS.
        stops: Exposure at which radiance (.hdr, .exr) is shown to the metrics of display values. S, R and PSNR of
            radiance are taken of ln(v + 1/255), where PSNR has the peak 7.844, the width from 0 to 10.
        progress: Wraps the iterator over frames, to show how far it is.

    Raises:
        ValueError: If the videos differ in size, length, rate or kind of frames, a rate varies, or a metric is unknown
            or needs a reference that is not there.
        ImportError: If 'vdp' is asked for and cvvdp is not installed.
    """
    names = _metrics(metrics, reference is not None)
    if channels not in CHANNELS:
        raise ValueError(f"channels must be one of {CHANNELS}, got {channels!r}")
    if not processed:
        raise ValueError("there is no video to measure")
    sources = ([reference] if reference else []) + list(processed.values())
    rate, size = _common(sources), sources[0].size
    flow = _flow_estimates() if flow_folder is None else _flow_files(Path(flow_folder))
    farneback = lru_cache(maxsize=4)(partial(estimate_flow, method="farneback"))
    titles = (["reference"] if reference else []) + list(processed)
    videos = [_Video(name, size, TemporalHighpass(float(rate), sigma)) for name in titles]
    for video in videos[1 if reference else 0 :]:
        video.make_meters(names, flow(), farneback, channels, partial(_vdp_meter, sources[0], rate))

    count = 0
    for frames in progress(_together(sources, rate)):
        views = _views(frames, channels, stops)
        first = views[0] if reference else None
        for video, view in zip(videos, views):
            video.update(view, first)
        _add_highpass(videos, [v.highpass.push(view.value) for v, view in zip(videos, views)], reference is not None)
        count += 1
    _add_highpass(videos, [video.highpass.flush() for video in videos], reference is not None)
    scores = [video.scores(names, videos[0] if reference else None) for video in videos]
    indices = _grid(size).numpy()
    positions = np.stack([indices % size[1], indices // size[1]], axis=1)
    base = scores.pop(0) if reference else None
    return Measurement(rate, size, count, channels, positions, base, scores)


def _metrics(asked: Sequence[str] | None, has_reference: bool) -> list[str]:
    possible = list(METRICS) if has_reference else list(WITHOUT_REFERENCE)
    if asked is None:
        return [name for name in possible if name not in ON_REQUEST]
    if unknown := sorted(set(asked) - set(METRICS)):
        raise ValueError(f"unknown metrics {unknown}: there are {list(METRICS)}")
    if impossible := [name for name in asked if name not in possible]:
        raise ValueError(f"{impossible} need a reference")
    return list(asked)


def _common(sources: Sequence[FrameSource]) -> Fraction:
    """The frame rate of all sources, which must be alike."""
    first = sources[0]
    for other in sources[1:]:
        pair = f"{first.name} and {other.name}"
        if first.size != other.size:
            sizes = " and ".join(f"{width}x{height}" for height, width in (first.size, other.size))
            raise ValueError(f"{pair} differ in size: {sizes} pixels")
        if abs(float(first.rate / other.rate) - 1) > 1e-3:  # 29.97 is written in several ways
            rates = f"{float(first.rate):.4g} and {float(other.rate):.4g}"
            raise ValueError(f"{pair} differ in frame rate: {rates}; --fps takes frame by frame")
        if None not in (first.num_frames, other.num_frames) and first.num_frames != other.num_frames:
            raise ValueError(f"{pair} differ in length: {first.num_frames} and {other.num_frames} frames")
    return first.rate


def _together(sources: Sequence[FrameSource], rate: Fraction) -> Iterator[list[Frame]]:
    """Frames of all sources side by side; all must end together."""
    streams = [check_steady(iter(source), rate, source.name) for source in sources]
    for count in range(10**9):
        frames = [next(stream, None) for stream in streams]
        present = [frame for frame in frames if frame is not None]
        if not present:
            return
        if len(present) < len(frames):
            short = next(s.name for s, frame in zip(sources, frames) if frame is None)
            long = next(s.name for s, frame in zip(sources, frames) if frame is not None)
            raise ValueError(f"{short} ends after {count} frames, {long} goes on: cut them to one length")
        yield present


# ---------------------------------------------------------------- frames


@dataclass
class _View:
    """A frame as display values (3, H, W) in [0, 1], and as what S, R and PSNR are taken of."""

    shown: Tensor
    value: Tensor
    peak: float


def _views(frames: Sequence[Frame], channels: str, stops: float) -> list[_View]:
    radiance = {frame.image.dtype == np.float32 for frame in frames}
    if len(radiance) > 1:
        raise ValueError("radiance (.hdr, .exr) cannot be compared with display values: tone-map it first")
    return [_view(frame.image, channels, stops) for frame in frames]


def _view(image: np.ndarray, channels: str, stops: float) -> _View:
    x = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.float32))
    if image.dtype != np.float32:
        x = x / np.iinfo(image.dtype).max
        if channels == "ab":
            return _View(x, rgb_to_lab(x)[1:] / AB_SCALE, 2.0)
        return _View(x, luminance(x) if channels == "luminance" else x, 1.0)
    if channels == "ab":
        raise ValueError("ab is of display values, not of radiance: tone-map it first")
    value = log_radiance((luminance(x) if channels == "luminance" else x).clamp(min=0))
    black, white = log_radiance(torch.tensor([0.0, 10.0])).tolist()  # as in `SaturatedPSNR`
    return _View(to_display(x, stops), value, white - black)


def _grid(size: tuple[int, int]) -> Tensor:
    """Indices of a grid of pixels in the flattened picture."""
    y, x = (((torch.arange(min(GRID, n)) + 0.5) * n / min(GRID, n)).long() for n in size)
    return (y[:, None] * size[1] + x[None, :]).flatten()


# ---------------------------------------------------------------- flow


def _flow_estimates() -> Callable[[], Flow]:
    """All videos share the estimates of a pair of the reference's frames: the cache knows tensors by identity."""
    shared = lru_cache(maxsize=4)(estimate_flow)
    return lambda: shared


def _flow_files(folder: Path) -> Callable[[], Flow]:
    ways = [sorted(path.glob("*.flo"), key=lambda file: file.name) for path in (folder, folder / "backward")]
    if not ways[0] or len(ways[0]) != len(ways[1]):
        counts = f"{len(ways[0])} and {len(ways[1])}"
        raise ValueError(f"{folder} must hold .flo files, and {folder / 'backward'} as many; there are {counts}")

    def make() -> Flow:
        files = (path for pair in zip(*ways) for path in pair)  # a meter asks for the way there, then for that back

        def flow(a: Tensor, b: Tensor) -> Tensor:
            path = next(files, None)
            if path is None:
                raise ValueError(f"{folder} holds {len(ways[0])} flows, which are fewer than pairs of frames")
            found = read_flow(path)
            if found.shape[1:] != a.shape[1:]:
                raise ValueError(f"{path} is of {tuple(found.shape[1:])} pixels, the frames of {tuple(a.shape[1:])}")
            return found

        return flow

    return make


def _vdp_meter(source: FrameSource, rate: Fraction) -> Any:
    from ..functional.video_vdp import VideoVDPMeter  # takes seconds, and may be missing

    return VideoVDPMeter(source.count(), float(rate))


# ---------------------------------------------------------------- one video


class _Video:
    """What is summed up of a video while its frames come."""

    def __init__(self, name: str, size: tuple[int, int], highpass: TemporalHighpass) -> None:
        self.name, self._size, self.highpass = name, size, highpass
        self.energy = self.error_energy = 0.0
        self._grid = _grid(size)
        self._pixels: list[Tensor] = []
        self._over_time: list[Tensor] = []  # squares, summed over values; of some frames each
        self._map = torch.zeros(0, dtype=torch.float64)  # squares, summed over frames
        self._meters: dict[str, Any] = {}

    def make_meters(
        self, names: Sequence[str], flow: Flow, farneback: Flow, channels: str, vdp: Callable[[], Any]
    ) -> None:
        """Starts measuring: `flow` is for the warping error, `farneback` for tOF, `vdp` makes a meter."""
        self._rgb = channels == "rgb"
        makers: dict[str, Callable[[], Any]] = {
            "psnr": PSNRMeter,
            "ssim": SSIMMeter,
            "warp_error": lambda: WarpErrorMeter(flow),
            "tof": lambda: FlowDifferenceMeter(farneback),
            "cdc": ColorDistributionMeter,
            "vdp": vdp,
        }
        self._meters = {name: makers[name]() for name in names if name in makers}

    def update(self, view: _View, reference: _View | None) -> None:
        """Takes the next frame."""
        if not self._pixels:
            self._map = torch.zeros(view.value.numel(), dtype=torch.float64)
        self._pixels.append(luminance(view.shown).flatten()[self._grid])
        for name, meter in self._meters.items():
            if name == "cdc":
                meter.update(view.shown)
            elif reference is None:
                meter.update(view.shown, None)
            elif name == "psnr":
                meter.peak = view.peak
                meter.update(view.value, reference.value)
            elif name == "ssim" and not self._rgb:
                meter.update(luminance(view.shown), luminance(reference.shown))
            else:
                meter.update(view.shown, reference.shown)

    def add_highpass(self, piece: Piece, reference: Piece | None) -> None:
        """Takes a piece of the high-pass, and that of the reference's."""
        squares = piece.highpass.square()
        sums = squares.sum(dim=1)
        self.energy += float(sums.sum())
        if reference is not None:
            squares = (piece.highpass - reference.highpass).square()
            sums = squares.sum(dim=1)
            self.error_energy += float(sums.sum())
        if piece.values.start == 0:
            self._over_time.append(torch.zeros(len(sums), dtype=torch.float64))
        self._over_time[-1] += sums
        self._map[piece.values] += squares.sum(dim=0)

    def scores(self, names: Sequence[str], reference: _Video | None) -> VideoScores:
        """What there is after the last frame."""
        over_time, (height, width) = torch.cat(self._over_time), self._size
        score = VideoScores(self.name)
        score.flicker_over_time = (over_time / len(self._map)).sqrt().numpy()
        score.flicker_map = (self._map.view(-1, height, width).mean(dim=0) / len(over_time)).sqrt().numpy()
        score.pixels = torch.stack(self._pixels).numpy()
        score.energies = TemporalEnergies(reference.energy if reference else 0.0, self.energy, self.error_energy)
        known = {"S": score.energies.smoothness, "R": score.energies.residual}
        known |= {name: meter.value(meter.finish()) for name, meter in self._meters.items()}
        if self is not reference:
            score.values = {name: known[name] for name in names}
        return score


def _add_highpass(videos: Sequence[_Video], highs: Sequence[Iterator[Piece]], has_reference: bool) -> None:
    for together in zip(*highs):
        for video, own in zip(videos, together):
            video.add_highpass(own, together[0] if has_reference and video is not videos[0] else None)
