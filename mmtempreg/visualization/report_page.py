"""The report of a measurement as one page: videos in step, what was measured under the playhead, in any browser."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment

from ..apis.video_measurement import Measurement, VideoScores
from ..meters import DOMAINS, Meter
from ..utils.atomic_write import replace_when_written
from .page_recorder import FULL_CHANGE, PageRecorder, mosaic_of

MAX_POINTS = 10_000
"""Points of a curve; of longer videos the largest of several frames is drawn."""

MAX_ROWS = 200
"""Videos in the table and the charts."""

WORST = 3
"""Moments that are listed of each video."""


def write_page(path: str | Path, measurement: Measurement, recorder: PageRecorder | None = None) -> None:
    """Writes the page, which asks no other host for anything (its Content-Security-Policy forbids it).

    Args:
        path: The .html file.
        measurement: What was measured.
        recorder: What has watched it; None: the page has no pictures.
    """
    parts = files("mmtempreg.visualization") / "page"
    text = {name: (parts / name).read_text(encoding="utf-8") for name in _PARTS}
    style = text["uPlot.min.css"] + text["page.css"]
    scripts = [text["uPlot.iife.min.js"], text["page.js"]]
    beside = recorder is not None and recorder.assets is not None
    embedded = recorder is not None and recorder.num_frames > 0 and not beside
    data = page_data(measurement, recorder)
    if beside and recorder:
        data["videoFile"] = _relative(recorder.video, Path(path))
    policy = [
        "default-src 'none'",
        f"style-src {_hash(style)}",
        f"script-src {' '.join(map(_hash, scripts))}",
        f"media-src blob:{' file: ' + repr('self') if beside else ''}",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    headings, rows = measurement.table()
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string(text["page.html"]).render(
        policy="; ".join(policy),
        style=style,
        scripts=scripts,
        # no "<" may end the element; JSON can write it otherwise
        data=json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
        video=base64.b64encode(recorder.video.read_bytes()).decode() if embedded and recorder else "",
        about=_about(measurement),
        full_change=f"{100 * FULL_CHANGE:g}",
        headings=_headings(measurement, headings),
        rows=_rows(measurement, rows[:MAX_ROWS]),
        notes=[*measurement.notes(), *left_out(measurement, recorder)],
        measures=measurement.measures,
    )
    with replace_when_written(path) as partial:
        partial.write_text(page, encoding="utf-8")


_PARTS = ("page.html", "page.css", "page.js", "uPlot.min.css", "uPlot.iife.min.js")


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _relative(video: Path, page: Path) -> str:
    """The folder beside the page, as a link says it."""
    from os.path import relpath
    from urllib.parse import quote

    return quote(Path(relpath(video.resolve(), page.resolve().parent)).as_posix())


def _about(measurement: Measurement) -> str:
    height, width = measurement.size
    rate, domain = float(measurement.rate), DOMAINS[measurement.domain].about
    frames = f"{measurement.num_frames} frames" if measurement.num_frames != 1 else "One frame"
    return f"{frames} of {width}x{height} at {rate:.4g} per second, compared as {domain}."


def left_out(measurement: Measurement, recorder: PageRecorder | None) -> list[str]:
    """What the page does not hold, a sentence each."""
    number = len(_all(measurement))
    notes = []
    if recorder and number > recorder.num_videos:
        notes.append(f"Pictures of the first {recorder.num_videos} of {number} videos")
    if recorder and recorder.num_frames < measurement.num_frames:
        kept = f"{recorder.num_frames} of {measurement.num_frames} frames"
        notes.append(f"Pictures and pixels of the first {kept}; --assets FOLDER keeps all beside the page")
    if number > MAX_ROWS:
        notes.append(f"The first {MAX_ROWS} of {number} videos in the table and the charts")
    if measurement.num_frames > MAX_POINTS:
        notes.append(f"Curves show the largest of each {_step(measurement)} frames")
    if recorder and max(recorder.tile) < max(measurement.size) // 2 * 2:
        notes.append(
            f"Pictures are reduced to {recorder.tile[1]}x{recorder.tile[0]} pixels; all was measured at full size"
        )
    return notes


def _all(measurement: Measurement) -> list[VideoScores]:
    return [*([measurement.reference] if measurement.reference else []), *measurement.videos]


def _step(measurement: Measurement) -> int:
    return -(-measurement.num_frames // MAX_POINTS)


# ---------------------------------------------------------------- data of the script


def page_data(measurement: Measurement, recorder: PageRecorder | None) -> dict[str, Any]:
    """What the script needs, as JSON holds it: no NaN, no path of this machine."""
    shown = _all(measurement)[:MAX_ROWS]
    data: dict[str, Any] = dict(
        names=[video.name for video in shown],
        hasReference=measurement.reference is not None,
        rate=float(measurement.rate),
        frames=measurement.num_frames,
        step=_step(measurement),
        size=[measurement.size[1], measurement.size[0]],
        charts=charts(measurement),
        worst=worst_moments(measurement),
        pictures=None,
    )
    if recorder and recorder.num_frames:
        part, columns, rows = recorder.grid
        data["pictures"] = dict(
            mosaic_of(recorder),
            frames=recorder.num_frames,
            grid=dict(x=part.x, y=part.y, width=part.width, height=part.height, columns=columns, rows=rows),
            pixels=base64.b64encode(recorder.values.tobytes()).decode(),
        )
    return data


def charts(measurement: Measurement) -> list[dict[str, Any]]:
    """The curves over time, those that there is anything of."""
    videos, reference = measurement.videos[:MAX_ROWS], measurement.reference
    error = "of the error" if reference else "of the video"
    number, step = measurement.num_frames, _step(measurement)
    floor = reference.change_over_time if reference else np.zeros(0)
    wanted = [
        ("F", "Flicker F along the motion", "1: as steady as the reference", "flicker_along", None),
        ("change", "Change along the motion", "root of E_warp; the reference's own is the floor", "change", floor),
        ("R", f"Fast changes {error}", "at a fixed pixel, what R sums up", "flicker_over_time", None),
        ("K", "Detail K", "1: as sharp as the reference, 0: a blur", "detail_over_time", None),
    ]
    found = []
    for name, title, about, what, own in wanted:
        curves = [np.sqrt(v.change_over_time) if what == "change" else getattr(v, what) for v in videos]
        if all(len(curve) == number for curve in curves) and any(np.isfinite(curve).any() for curve in curves):
            series: list[dict[str, Any]] = [dict(name=v.name, values=_thinned(c, step)) for v, c in zip(videos, curves)]
            if own is not None and len(own) == number and np.isfinite(own).any():
                series.append(dict(name="reference", values=_thinned(np.sqrt(own), step), floor=True))
            found.append(dict(id=name, title=title, about=about, series=series, text=_in_words(measurement, curves)))
    return found


def _in_words(measurement: Measurement, curves: list[np.ndarray]) -> str:
    """A chart for those who do not see it."""
    parts = []
    for video, curve in list(zip(measurement.videos, curves))[:20]:
        if np.isfinite(curve).any():
            peak = int(np.nanargmax(np.where(np.isfinite(curve), curve, -np.inf)))
            mean = float(np.nanmean(np.where(np.isfinite(curve), curve, np.nan)))
            at = peak / float(measurement.rate)
            parts.append(f"{video.name}: mean {mean:.3g}, highest {curve[peak]:.3g} at {at:.2f} s")
    return "; ".join(parts)


def _thinned(values: np.ndarray, step: int) -> list[float | None]:
    """Largest of each `step` values; what is no number is None."""
    if step > 1:
        padded = np.append(values, np.full(-len(values) % step, np.nan)).reshape(-1, step)
        values = np.array([np.nanmax(row) if np.isfinite(row).any() else np.nan for row in padded])
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in values.tolist()]


def worst_moments(measurement: Measurement) -> list[dict[str, Any]]:
    """Of each video the frames where it flickers most, half a second apart."""
    found = []
    apart = max(1, round(float(measurement.rate) / 2))
    for video in measurement.videos[:MAX_ROWS]:
        curve, what = video.flicker_along, "F"
        if not np.isfinite(curve).any():
            curve, what = np.sqrt(video.change_over_time), "change"
        if not np.isfinite(curve).any():
            curve, what = video.flicker_over_time, "fast change"
        left = np.where(np.isfinite(curve), curve, -np.inf)
        moments: list[dict[str, Any]] = []
        while len(moments) < WORST and len(left) and np.isfinite(left.max()):
            frame = int(left.argmax())
            moments.append(dict(frame=frame, value=f"{what} {curve[frame]:.3g}"))
            left[max(0, frame - apart) : frame + apart + 1] = -np.inf
        found.append(dict(name=video.name, moments=moments))
    return found


# ---------------------------------------------------------------- the table


def _headings(measurement: Measurement, headings: list[str]) -> list[dict[str, str]]:
    meanings = ["", *(f"{meter.about} ({meter.better})" for meter in measurement.measures)]
    return [dict(text=text, meaning=meaning) for text, meaning in zip(headings, meanings)]


def _cost(meter: type[Meter], value: float) -> float:
    """How far a value is from the best, or an order of that: less is better."""
    return abs(value - 1) if meter.better == "near 1" else -value if meter.better == "higher" else value


def _rows(measurement: Measurement, rows: list[list[str]]) -> list[dict[str, Any]]:
    """Rows of the table, with the best of each measure marked among the videos, if there are several."""
    videos = measurement.videos
    best: list[float] = []
    for meter in measurement.measures:
        costs = [_cost(meter, video.values[meter.name]) for video in videos]
        finite = [cost for cost in costs if not math.isnan(cost)]
        best.append(min(finite) if len(videos) > 1 and len(set(finite)) > 1 else math.nan)
    made = []
    for number, row in enumerate(rows):
        is_reference = measurement.reference is not None and number == 0
        cells = [dict(text=row[0], best=False)]
        for meter, lowest, text in zip(measurement.measures, best, row[1:]):
            scores = _all(measurement)[number]
            cells.append(dict(text=text, best=not is_reference and _cost(meter, scores.values[meter.name]) == lowest))
        made.append(dict(cells=cells, reference=is_reference))
    return made
