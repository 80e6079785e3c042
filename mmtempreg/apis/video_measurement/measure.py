"""One pass over the frames of all videos."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

from ...functional import Motion, lag_frames
from ...functional.temporal import SIGMA
from ...meters import DOMAINS, METERS, Clip, DetailMeter, Meter, TemporalEnergyMeter
from ...meters.domains import MAX_RADIANCE
from ...utils.ahead import ahead
from ...utils.command_line import printable
from ...utils.validation import Positive, Stops, check_arguments
from ...video import FrameSource
from .frames import CHANNELS, View, as_large, common_rate, domain_of, grid, is_radiance, together, view_of
from .measured_video import MeasuredVideo, Rows, grid_values
from .motion import EstimatedMotion, FlowFiles
from .scores import Measurement, Moment

PREPARED = 3
"""Frames whose motion is estimated while those before them are measured."""


@check_arguments
def measure_videos(
    processed: Mapping[str, FrameSource],
    reference: FrameSource | None = None,
    metrics: Sequence[str] | None = None,
    channels: str = "luminance",
    *,
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
    enlarged = 1
    if source is not None:
        first = next(iter(processed.values()))
        enlarged = first.size[0] // source.size[0]
        source = as_large(source, first)
    beside = reference or source
    sources = ([beside] if beside else []) + list(processed.values())
    rate, size = common_rate(sources), sources[0].size
    num_lag = lag_frames(lag, float(rate))
    files = None if flow_folder is None else FlowFiles(Path(flow_folder), num_lag)
    wants_motion = any(meter.needs_motion for meter in chosen)
    videos: list[MeasuredVideo] = []
    count, own_pixels = 0, Rows()
    with _workers() as pool:
        motions = (files or EstimatedMotion(num_lag, pool)) if wants_motion else None
        for step in progress(ahead(_steps(sources, channels, stops, motions), PREPARED)):
            if not count:
                domain = DOMAINS[step.domain]
                peak = domain.peak(MAX_RADIANCE if domain.radiance else 1.0)
                clip = Clip(float(rate), sources[0].count(), peak)
                videos = [MeasuredVideo(name, chosen, clip, sigma=sigma, lag=lag) for name in processed]
            guide, views = step.views[0], step.views[bool(beside) :]
            target = guide if reference else None
            if target:
                own_pixels.add(grid_values(target))
            updates = [pool.submit(v.update, view, target, step.motion, guide) for v, view in zip(videos, views)]
            for update in updates:
                update.result()
            if watch:
                watch(_moment(videos, views, target))
            count += 1
        scores = [video.finish() for video in videos]
    indices = grid(size).numpy()
    positions = np.stack([indices % size[1], indices // size[1]], axis=1)
    own = None
    if reference:
        own = scores[0][1]
        own.pixels = own_pixels.array()
    return Measurement(
        rate=rate,
        size=size,
        num_frames=count,
        domain=step.domain,
        positions=positions,
        reference=own,
        videos=[found for found, _ in scores],
        compared="" if reference else _compared(source, processed),
        enlarged=enlarged,
    )


def _compared(source: FrameSource | None, processed: Mapping[str, FrameSource]) -> str:
    """Name of what videos without a reference are compared with: that of its file, if no other is called so."""
    name, first = next(iter(processed.items()))
    if source is None and name != printable(first.name):
        return printable(name)
    own = source or first
    others = [video.title for video in processed.values() if video is not own]
    return printable(own.name if own.title in others else own.title)


@contextmanager
def _workers() -> Iterator[Executor]:
    """Threads, one for each core and one that may wait; each has no threads of its own, which would be in the way."""
    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    pool = ThreadPoolExecutor((os.cpu_count() or 1) + 1)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])


class _Step(NamedTuple):
    """A frame of all videos.

    Attributes:
        domain: Name of what they are compared in.
        views: That of the reference or source comes first, if there is one.
        motion: To this frame, which all have in common: they show the same scene. None if it is not needed.
    """

    domain: str
    views: list[View]
    motion: Future[Motion | None] | None


def _steps(
    sources: Sequence[FrameSource], channels: str, stops: float, motions: EstimatedMotion | FlowFiles | None
) -> Iterator[_Step]:
    """The frames of all sources side by side.

    Raises:
        ValueError: As `measure_videos`.
    """
    for frames in together(sources):
        domain = domain_of(frames, channels)
        if stops and not is_radiance(frames[0]):
            raise ValueError(f"stops={stops:g} is an exposure of radiance, and these are display values: leave it out")
        views = [view_of(frame.image, DOMAINS[domain], stops) for frame in frames]
        yield _Step(domain, views, motions.step(views[0].shown) if motions else None)


def _moment(videos: Sequence[MeasuredVideo], views: Sequence[View], target: View | None) -> Moment:
    seen = [(view, video.change(0)) for video, view in zip(videos, views)]
    if target:
        seen.insert(0, (target, videos[0].change(1)))
    return Moment([view.shown.floats() for view, _ in seen], [change for _, change in seen])


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
