"""How much processed videos flicker, against a reference or without one, in one pass over their frames."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..functional import Motion, compose, estimate_motion, lag_frames, luminance, reliable, white_of
from ..functional.temporal import SIGMA
from ..meters import DOMAINS, METERS, Clip, DetailMeter, FlickerMeter, Meter, TemporalEnergyMeter, WarpErrorMeter
from ..meters.domains import MAX_RADIANCE, Domain, shown
from ..utils.command_line import printable
from ..utils.validation import Positive, Stops, check_arguments
from ..video import Frame, FrameSource
from ..video.flow_files import UNKNOWN, read_flow
from ..video.frames import check_steady
from ..video.resized import ResizedFrames

CHANNELS = {"luminance": "log luminance", "rgb": "log", "ab": None}
"""Domain of display values -> that of radiance."""

KEPT = 0.9
"""Without a reference, what keeps less than this part of the detail is no better for changing less."""

GRID = 24
"""Pixels along either side of the grid that is remembered over time, for pictures."""


@dataclass
class VideoScores:
    """What was measured of one video.

    Attributes:
        name: Name of the video.
        values: Name of the measure (`meters.METERS`) -> value; nan where there is nothing to measure. Of the reference:
            what it has itself, the mark to compare with.
        reasons: Name of the measure -> why its value is nan.
        flicker_over_time: (T,) root mean square over the picture of the high-pass: of the error, or of the video itself
            if there is no reference.
        flicker_map: (H, W), the same over time.
        change_over_time: (T,) E_warp between each frame and the one `lag` before it; nan where there is none. Empty if
            it was not measured, as the next.
        change_map: (H, W) root mean square of the change along the motion; nan where it is not known.
        flicker_along: (T,) F of the pair that ends with each frame; nan where there is none. Empty without a reference.
        detail_over_time: (T,) K of each frame. Empty if it was not measured.
        pixels: (T, n) luminance of a grid of pixels.
    """

    name: str
    values: dict[str, float] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    flicker_over_time: np.ndarray = field(default_factory=lambda: np.zeros(0))
    flicker_map: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    change_over_time: np.ndarray = field(default_factory=lambda: np.zeros(0))
    change_map: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    flicker_along: np.ndarray = field(default_factory=lambda: np.zeros(0))
    detail_over_time: np.ndarray = field(default_factory=lambda: np.zeros(0))
    pixels: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    def cell(self, name: str) -> str:
        """A value as in a table."""
        return METERS[name].format(self.values[name])


@dataclass
class Moment:
    """What a watcher of `measure_videos` sees of each frame; the reference comes first, if there is one.

    Attributes:
        shown: (3, H, W) display values in [0, 1] of each video.
        changes: (H, W) change of each along the motion that ends here, in parts of the range of values, nan where the
            motion is not known; None where that is so everywhere.
    """

    shown: list[Tensor]
    changes: list[Tensor | None]


@dataclass
class Measurement:
    """All that `measure_videos` found.

    Attributes:
        rate: Frames per second.
        size: (H, W).
        num_frames: Length of the videos.
        domain: In what values they were compared (`meters.DOMAINS`), but for measures of display values.
        positions: (n, 2), the pixels that `VideoScores.pixels` are of, (x, y).
        reference: What the reference has itself; None without one.
        videos: Scores, in the order given.
        compared: Without a reference, whose motion they were measured along and whose detail K is compared with.
    """

    rate: Fraction
    size: tuple[int, int]
    num_frames: int
    domain: str
    positions: np.ndarray
    reference: VideoScores | None
    videos: list[VideoScores]
    compared: str = ""

    @property
    def peak(self) -> float:
        """Width of the range of the values that were compared."""
        domain = DOMAINS[self.domain]
        return domain.peak(MAX_RADIANCE if domain.radiance else 1.0)

    @property
    def measures(self) -> list[type[Meter]]:
        """What was measured, in the order of columns."""
        return [METERS[name] for name in self.videos[0].values]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Headings and rows of a table; the reference is its first row."""
        rows = [[video.name, *map(video.cell, video.values)] for video in self.videos]
        if self.reference:
            own = [self.reference.cell(n) if math.isfinite(v) else "" for n, v in self.reference.values.items()]
            rows.insert(0, [self.reference.name, *own])
        to = f" to {self.compared}" if self.compared else ""
        return ["video", *(f"{m.title}{to * (m is DetailMeter)}" for m in self.measures)], rows

    @property
    def blurred(self) -> set[str]:
        """Names of videos that, without a reference, are no better for changing less: much of the detail is lost."""
        return {v.name for v in self.videos if self.compared and v.values.get(DetailMeter.name, 1.0) < KEPT}

    def notes(self) -> list[str]:
        """Why some values are not there, a line each."""
        notes = [
            f"{video.name}: {METERS[name].title} n/a: {reason}"
            for video in self.videos
            for name, reason in video.reasons.items()
        ]
        if self.compared:
            notes.append(
                f"without a reference nothing says what is right: motion and detail are those of {self.compared}, and "
                f"what keeps less than {KEPT:g} of that detail is no better for changing less, as a blur does"
            )
        return list(dict.fromkeys(notes))


@check_arguments
def measure_videos(
    processed: Mapping[str, FrameSource],
    reference: FrameSource | None = None,
    metrics: Sequence[str] | None = None,
    channels: str = "luminance",
    sigma: Positive = SIGMA,
    flow_folder: str | Path | None = None,
    stops: Stops = 0.0,
    lag: Positive | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    watch: Callable[[Moment], None] | None = None,
    source: FrameSource | None = None,
) -> Measurement:
    """Measures videos frame by frame.

    What cannot be measured is nan, and `VideoScores.reasons` says why: a clip of one frame, no pixel whose motion is
    known, a flow file that is missing or of another size, a reference that does not change or has no detail.

    Args:
        processed: Name -> a processed video.
        reference: What they should be. None: only what needs none is measured, along the motion of `source`, and
            detail K is compared with that of `source`: what changes less because it is a blur is no better.
        metrics: Names of `meters.METERS`. Default: all that can be measured, but for those that are on request only.
        channels: In what values videos are compared: 'luminance' (weighted sum of display values), 'rgb', or
            'ab' (CIE Lab a/110 and b/110, peak 2). Of radiance (.hdr, .exr) it is ln(v + 1/255) of luminance or RGB,
            with the peak 7.844, the width from 0 to 10. Measures of display values (`Meter.display`) see RGB.
        sigma: Standard deviation of the temporal Gaussian of S and R in seconds.
        flow_folder: Exact motion, .flo files in the order of their names: in the folder `backward` in it, from each
            frame of the reference to the one before; vectors above 1e9 are unknown. If there are files of the way forth
            in the folder itself too, motion counts where both agree. Default: OpenCV's DIS, of the reference (of each
            video without one).
        stops: Exposure at which radiance is shown to measures of display values.
        lag: Seconds between the frames that F, E_warp and CDC compare; None: one frame (CDC: 1, 2 and 4). Exact flow is
            composed for it; estimated flow is lost where motion is fast.
        progress: Wraps the iterator over frames, to show how far it is.
        watch: Called with each frame when it has been measured, such as a `PageRecorder`.
        source: Without a reference, what the videos were made of, of their size or smaller by a whole factor. None: the
            first of them.

    Raises:
        ValueError: If the videos differ in size, length, rate or kind of frames, a rate varies, or a metric is unknown
            or needs a reference that is not there; if an argument is no number of its kind, or there are `stops` and no
            radiance.
        ImportError: If 'vdp' is asked for and cvvdp is not installed.
    """
    if reference is not None and source is not None:
        raise ValueError("give a reference, or what the videos were made of, not both")
    chosen = _chosen(metrics, reference is not None)
    if channels not in CHANNELS:
        raise ValueError(f"channels must be one of {tuple(CHANNELS)}, got {channels!r}")
    if not processed:
        raise ValueError("there is no video to measure")
    if source is not None:
        source = _as_large(source, next(iter(processed.values())))
    beside = reference or source
    sources = ([beside] if beside else []) + list(processed.values())
    rate, size = _common(sources), sources[0].size
    files = None if flow_folder is None else _FlowFiles(Path(flow_folder))
    num_lag = lag_frames(lag, float(rate))
    videos, count, domain = [_Video(name, chosen) for name in processed], 0, channels
    own_pixels: list[Tensor] = []
    wants_motion = any(meter.needs_motion for meter in chosen)
    for frames in progress(together(sources)):
        domain = _domain(frames, channels)
        views = [_view(frame.image, DOMAINS[domain], stops) for frame in frames]
        if not count:
            if stops and not _is_radiance(frames[0]):
                raise ValueError(
                    f"stops={stops:g} is an exposure of radiance, and these are display values: leave it out"
                )
            motion = _Motions(num_lag, files)
            clip = Clip(
                float(rate), sources[0].count(), DOMAINS[domain].peak(MAX_RADIANCE if _is_radiance(frames[0]) else 1.0)
            )
            for video in videos:
                video.start(clip, sigma, lag)
        guide = views.pop(0) if beside else views[0]
        target = guide if reference else None
        if target:
            own_pixels.append(luminance(target.shown).flatten()[_grid(size)])
        step = motion.step(guide.shown) if wants_motion else None  # the same for all: they show the same scene
        for video, view in zip(videos, views):
            video.update(view, target, step, guide)
        if watch:
            own = [(target.shown, videos[0].change(1))] if target else []
            seen = [*own, *((view.shown, video.change(0)) for video, view in zip(videos, views))]
            watch(Moment([shown for shown, _ in seen], [change for _, change in seen]))
        count += 1
    indices = _grid(size).numpy()
    positions = np.stack([indices % size[1], indices // size[1]], axis=1)
    for video in videos:
        video.finish()
    base = None
    if reference:
        base = VideoScores("reference", videos[0].of_target, pixels=torch.stack(own_pixels).numpy())
        base.change_over_time = videos[0].change_of_target
    compared = "" if reference else printable(source.name if source else next(iter(processed)))
    return Measurement(rate, size, count, domain, positions, base, [video.scores for video in videos], compared)


def _chosen(asked: Sequence[str] | None, has_reference: bool) -> list[type[Meter]]:
    without = DetailMeter.name  # is compared with what there is
    possible = [n for n, meter in METERS.items() if has_reference or meter.reference != "needed" or n == without]
    if asked is None:
        alone = (TemporalEnergyMeter.name,) if has_reference else ()  # beside S and R it says nothing
        return [METERS[name] for name in possible if METERS[name].default and name not in alone]
    if unknown := sorted(set(asked) - set(METERS)):
        raise ValueError(f"unknown metrics {unknown}: there are {list(METERS)}")
    if impossible := [name for name in asked if name not in possible]:
        raise ValueError(f"{impossible} need a reference")
    return [METERS[name] for name in asked]


def _as_large(source: FrameSource, video: FrameSource) -> FrameSource:
    """What a video was made of, in its size.

    Raises:
        ValueError: If the video is no whole multiple of it.
    """
    if source.size == video.size:
        return source
    if not _enlarged(source, video):
        sizes = " and ".join(f"{width}x{height}" for height, width in (video.size, source.size))
        raise ValueError(f"{video.name} and {source.name} are of {sizes} pixels, which is no whole multiple")
    return ResizedFrames(source, video.size)


def _common(sources: Sequence[FrameSource]) -> Fraction:
    """The frame rate of all sources, which must be alike."""
    first = sources[0]
    for other in sources[1:]:
        pair = f"{first.name} and {other.name}"
        if first.size != other.size:
            sizes = " and ".join(f"{width}x{height}" for height, width in (first.size, other.size))
            hint = (
                "; if the first is what the second was made of: --no-reference --source"
                if _enlarged(first, other)
                else ""
            )
            raise ValueError(f"{pair} differ in size: {sizes} pixels{hint}")
        if abs(float(first.rate / other.rate) - 1) > 1e-3:  # 29.97 is written in several ways
            rates = f"{float(first.rate):.4g} and {float(other.rate):.4g}"
            raise ValueError(f"{pair} differ in frame rate: {rates}; --fps takes frame by frame")
        if None not in (first.num_frames, other.num_frames) and first.num_frames != other.num_frames:
            raise ValueError(f"{pair} differ in length: {first.num_frames} and {other.num_frames} frames")
    return first.rate


def _enlarged(first: FrameSource, other: FrameSource) -> bool:
    """Whether the second has a whole multiple of the first's size."""
    (height, width), (h, w) = other.size, first.size
    return height > h and height % h == 0 and height // h * w == width


def together(sources: Sequence[FrameSource]) -> Iterator[list[Frame]]:
    """Frames of all sources side by side.

    Raises:
        ValueError: If they differ in size, frame rate or length.
    """
    rate = _common(sources)
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
        for source, frame in zip(sources, present):
            if frame.alpha is not None and frame.alpha.min() < np.iinfo(frame.alpha.dtype).max:
                source.note("is measured without its transparency")
        yield present


# ---------------------------------------------------------------- frames


@dataclass
class _View:
    """A frame as display values (3, H, W) in [0, 1], and in the domain in which videos are compared."""

    shown: Tensor
    value: Tensor


def _is_radiance(frame: Frame) -> bool:
    return frame.image.dtype == np.float32


def _domain(frames: Sequence[Frame], channels: str) -> str:
    """The domain that frames of this kind are compared in."""
    if len({_is_radiance(frame) for frame in frames}) > 1:
        raise ValueError("radiance (.hdr, .exr) cannot be compared with display values: tone-map it first")
    domain = CHANNELS[channels] if _is_radiance(frames[0]) else channels
    if domain is None:
        raise ValueError(f"{channels} is of display values, not of radiance: tone-map it first")
    return domain


def _view(image: np.ndarray, domain: Domain, stops: float) -> _View:
    planes = np.ascontiguousarray(image.transpose(2, 0, 1))
    x = torch.from_numpy(planes.astype(np.float32))
    if image.dtype != np.float32:
        x = x / white_of(image.dtype)
    if domain is DOMAINS["rgb"] and image.dtype == np.uint8:
        return _View(x, torch.from_numpy(planes))  # meters hold it as it is, in a quarter of the memory
    return _View(shown(x, domain.radiance, stops), domain.convert(x))


def _grid(size: tuple[int, int]) -> Tensor:
    """Indices of a grid of pixels in the flattened picture."""
    y, x = (((torch.arange(min(GRID, n)) + 0.5) * n / min(GRID, n)).long() for n in size)
    return (y[:, None] * size[1] + x[None, :]).flatten()


# ---------------------------------------------------------------- motion


class _FlowFiles:
    """Exact flow between the frames of a clip."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        forth, back = (sorted(path.glob("*.flo"), key=lambda file: file.name) for path in (folder, folder / "backward"))
        if not back or len(forth) not in (0, len(back)):
            counts = f"{len(back)} and {len(forth)}"
            raise ValueError(
                f"{folder / 'backward'} must hold .flo files from each frame to the one before, and {folder} none "
                f"or as many of the way forth; there are {counts}"
            )
        self.forth, self.back = forth, back

    def motion(self, number: int, size: tuple[int, int]) -> Motion:
        """From frame `number + 1` to frame `number`.

        Raises:
            ValueError: If there is no such file, or it does not fit.
        """
        if number >= len(self.back):
            raise ValueError(f"{self.folder} holds {len(self.back)} flows, which are fewer than pairs of frames")
        flows = []
        for path in (self.back[number], *self.forth[number : number + 1]):
            flows.append(read_flow(path))
            if tuple(flows[-1].shape[1:]) != size:
                height, width = flows[-1].shape[1:]
                raise ValueError(f"{path} is of {width}x{height} pixels, the frames of {size[1]}x{size[0]}")
        known = (flows[0].abs() < UNKNOWN).all(dim=0, keepdim=True).float()
        back = torch.where(known > 0, flows[0], 0)
        return Motion(back, known * reliable(back, flows[1]) if len(flows) > 1 else known)


class _Motions:
    """The motion of one clip: to each frame from the one `lag` before it."""

    def __init__(self, lag: int, files: _FlowFiles | None) -> None:
        self._lag, self._files = lag, files
        self._guides: deque[Tensor] = deque(maxlen=lag)
        self._steps: deque[Motion] = deque(maxlen=lag)
        self._count = 0
        self._failure: str | None = None

    def step(self, guide: Tensor) -> Motion | str | None:
        """The motion from `lag` frames before to the next frame, (3, H, W) display values.

        None for the first `lag`; a text that says why it is unknown.
        """
        if self._failure is None:
            try:
                return self._step(guide)
            except (ValueError, OSError) as error:
                self._failure = str(error)
        return self._failure

    def _step(self, guide: Tensor) -> Motion | None:
        self._count += 1
        if self._files:
            if self._count > 1:
                size = (guide.shape[-2], guide.shape[-1])
                self._steps.append(self._files.motion(self._count - 2, size))
            return reduce(compose, reversed(self._steps)) if len(self._steps) == self._lag else None
        then = self._guides[0] if len(self._guides) == self._lag else None
        self._guides.append(guide)
        return None if then is None else estimate_motion(guide, then)


# ---------------------------------------------------------------- one video


class _Video:
    """What is measured of a video while its frames come. Measures of the same sums share a meter."""

    def __init__(self, name: str, chosen: Sequence[type[Meter]]) -> None:
        self.scores, self._chosen = VideoScores(name), chosen
        self._meters: dict[type[Meter], Meter] = {}
        self._failures: dict[type[Meter], str] = {}
        self._pixels: list[Tensor] = []

    def start(self, clip: Clip, sigma: float, lag: float | None) -> None:
        """Makes the meters; the kinds that pictures are made of have options of their own."""
        self._peak = clip.peak
        kinds: list[type[Meter]] = [TemporalEnergyMeter, *(meter.summed_by() for meter in self._chosen)]
        for kind in dict.fromkeys(kinds):
            options: dict[str, Any] = dict(lag=lag) if kind.lagged else {}
            if kind is TemporalEnergyMeter:
                options |= dict(sigma=sigma)
            if kind in (TemporalEnergyMeter, WarpErrorMeter):
                options |= dict(maps=True)
            elif kind is DetailMeter:
                options |= dict(each_frame=True)
            self._meters[kind] = kind.of_clip(clip, **options)

    def update(self, view: _View, target: _View | None, motion: Motion | str | None, guide: _View) -> None:
        """Takes the next frame. A meter that cannot take it measures no more: its measures are not there.

        `guide` is what detail is compared with if there is no target.
        """
        self._pixels.append(luminance(view.shown).flatten()[_grid((view.shown.shape[-2], view.shown.shape[-1]))])
        for kind, meter in self._meters.items():
            if kind in self._failures:
                continue
            known = guide if kind is DetailMeter else target
            pred, truth = (None if v is None else v.shown if kind.display else v.value for v in (view, known))
            assert pred is not None
            try:
                if not kind.needs_motion:
                    meter.update(pred, truth)
                elif isinstance(motion, str):
                    raise ValueError(motion)
                else:
                    meter.update(pred, truth, motion=motion)  # type: ignore[call-arg]
            except ValueError as error:
                self._failures[kind] = str(error)

    def change(self, which: int) -> Tensor | None:
        """The change along the motion that ends with the last frame: of the video (0), of the reference (1)."""
        meter = self._meters.get(WarpErrorMeter)
        last = meter.last_change if isinstance(meter, WarpErrorMeter) else None
        if last is None or WarpErrorMeter in self._failures or which >= len(last):
            return None
        return last[which] / self._peak

    def finish(self) -> None:
        """Fills `scores`, `of_target` and `change_of_target`."""
        sums = {kind: meter.finish() for kind, meter in self._meters.items() if kind not in self._failures}
        self.of_target: dict[str, float] = {}
        self.change_of_target = np.zeros(0)
        for meter in self._chosen:
            kind = meter.summed_by()
            value = math.nan if kind in self._failures else meter.value(sums[kind])
            self.scores.values[meter.name] = value
            self.of_target[meter.name] = math.nan if kind in self._failures else meter.of_target(sums[kind])
            if math.isnan(value):
                self.scores.reasons[meter.name] = self._failures.get(kind) or meter.reason(sums[kind])
        energy, warping = (self._meters.get(kind) for kind in (TemporalEnergyMeter, WarpErrorMeter))
        if isinstance(energy, TemporalEnergyMeter) and TemporalEnergyMeter in sums:
            self.scores.flicker_over_time, self.scores.flicker_map = energy.over_time, energy.flicker_map
        if isinstance(warping, WarpErrorMeter) and WarpErrorMeter in sums:
            self.scores.change_over_time, self.scores.change_map = warping.over_time, warping.change_map
            self.change_of_target = warping.target_over_time
            pairs = zip(warping.over_time.tolist(), warping.target_over_time.tolist())
            self.scores.flicker_along = np.array([FlickerMeter.value((f, y, 1, 1, warping.noise)) for f, y in pairs])
        detail = self._meters.get(DetailMeter)
        if isinstance(detail, DetailMeter) and DetailMeter in sums:
            self.scores.detail_over_time = detail.over_time
        self.scores.pixels = torch.stack(self._pixels).numpy()
