"""The report of a measurement as one page: videos in step, what was measured under the playhead, in any browser."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment

from ..apis.video_measurement import Measurement, VideoScores
from ..meters import DOMAINS, DetailMeter, Meter, TemporalEnergyMeter
from ..utils.atomic_write import replace_when_written
from .page_recorder import FULL_CHANGE, NOT_MEASURED, PageRecorder, heat_colours, mosaic_of

MAX_POINTS = 10_000
"""Points of a curve; of longer videos the largest of several frames is drawn."""

MAX_ROWS = 200
"""Videos in the table and the charts."""

MAX_NAMED = 6
"""Videos that the sentences at the top name."""

PERCENT = "\N{NO-BREAK SPACE}%"

WORST = 3
"""Moments that are listed of each video."""


def write_page(
    path: str | Path,
    measurement: Measurement,
    recorder: PageRecorder | None = None,
    *,
    title: str = "",
    notes: Sequence[str] = (),
) -> None:
    """Writes the page, which asks no other host for anything (its Content-Security-Policy forbids it).

    Args:
        path: The .html file.
        measurement: What was measured.
        recorder: What has watched it; None: the page has no pictures.
        title: What the clip is called.
        notes: What else is to be said under the table, without full stops.
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
        title=title,
        verdict=verdict(measurement),
        about=_about(measurement),
        scale=_heat_scale(),
        headings=_headings(measurement, headings),
        rows=_rows(measurement, rows[:MAX_ROWS]),
        notes=[*notes, *measurement.notes(), *left_out(measurement, recorder)],
    )
    with replace_when_written(path) as partial:
        partial.write_bytes(page.encode(errors="backslashreplace"))  # names may be no UTF-8


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
    return f"{frames} of {width}x{height} pixels, {rate:.4g} per second. What is compared: {domain}."


OF = "'s"


def whose(measurement: Measurement) -> str:
    """Whose detail K is compared with."""
    return f"{measurement.compared or 'the reference'}{OF}"


def verdict(measurement: Measurement) -> list[str]:
    """Says who flickers how much, and who keeps how much detail: a sentence each, the best first."""

    def values(name: str) -> dict[str, float]:
        counted = [v for v in measurement.videos if name == "K" or v.name not in measurement.blurred]
        found = {video.name: video.values.get(name, math.nan) for video in counted}
        return {name: value for name, value in found.items() if math.isfinite(value)}

    percent = 100 / measurement.peak
    change = {name: percent * math.sqrt(value) for name, value in values("warp_error").items()}
    fast = {name: percent * value for name, value in values("fast_changes").items()}
    detail = {name: 100 * value for name, value in values("K").items()}
    first = measurement.videos[0].name
    kept = {name: 100 * value / detail[first] for name, value in detail.items() if name != first and detail.get(first)}
    if detail.get(first) == 100:  # it is what they are compared with, or as sharp as that
        kept = {}
    large = f"; {measurement.compared} was made {measurement.enlarged} times as large to compare, and has hardly any"
    large *= measurement.enlarged > 1
    sentences = [
        _ranked(values("F"), "{:.2f}", "{} flickers {} times as much as the reference")
        or _ranked(
            change,
            "{:.2g}" + PERCENT,
            "{} changes by {} of the range of values from frame to frame, along the motion",
        )
        or _ranked(fast, "{:.2g}" + PERCENT, "{} has fast changes of {} of the range of values"),
        _ranked(
            detail,
            "{:.0f}" + PERCENT,
            f"{{}} {'has' if large else 'keeps'} {{}} of {whose(measurement)} fine detail",
            most_first=True,
            end=f"{large}.",
        ),
        _ranked(kept, "{:.0f}" + PERCENT, f"{{}} keeps {{}} of what {first} has of it", most_first=True),
    ]
    return [sentence for sentence in sentences if sentence]


def _ranked(values: Mapping[str, float], form: str, words: str, most_first: bool = False, end: str = ".") -> str:
    """Says `words` of the first, and the values of the others; empty if there is none."""
    names = sorted(values, key=lambda name: values[name], reverse=most_first)
    if not names:
        return ""
    others = [f", {name} {form.format(values[name])}" for name in names[1:MAX_NAMED]]
    more = f", and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return words.format(names[0], form.format(values[names[0]])) + "".join(others) + more + end


def _heat_scale() -> dict[str, Any]:
    """Ticks and colours of the heat map's legend: parts of its width, and what stands there."""

    def rgb(colour: Sequence[int]) -> str:
        return "#{:02x}{:02x}{:02x}".format(*colour)

    shares = np.linspace(0, 1, 17)
    return dict(
        stops=[(share, rgb(colour)) for share, colour in zip(shares, heat_colours(shares, np.full(len(shares), 128)))],
        ticks=[(math.sqrt(part), f"{100 * part * FULL_CHANGE:g}") for part in (0, 0.1, 0.25, 0.5, 1)],
        not_measured=rgb(NOT_MEASURED),
    )


def left_out(measurement: Measurement, recorder: PageRecorder | None) -> list[str]:
    """Says what the page does not hold, a sentence each."""
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
    """Data of the page's script, as JSON holds them: no NaN, no path of this machine."""
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
        grid = recorder.grid
        data["pictures"] = dict(
            mosaic_of(recorder),
            frames=recorder.num_frames,
            grid=dict(
                zip(("x", "y", "width", "height"), grid.part),
                first=grid.first,
                pitch=grid.pitch,
                columns=grid.columns,
                rows=grid.rows,
            ),
            pixels=base64.b64encode(recorder.values.tobytes()).decode(),
        )
    return data


def curve(video: VideoScores, name: str) -> np.ndarray:
    """A measure over time; empty if it was not measured."""
    return video.series.get(name, np.zeros(0))


def charts(measurement: Measurement) -> list[dict[str, Any]]:
    """The curves over time, those that there is anything of."""
    videos, reference = measurement.videos[:MAX_ROWS], measurement.reference
    number, step, percent = measurement.num_frames, _step(measurement), 100 / measurement.peak
    along = "Each point of the scene is followed from frame to frame: how much does it change"
    floor = " Dashed: the reference itself." if reference else ""
    error = "the error changes" if reference else "it changes"
    mean = "Root mean square over the picture."
    wanted: list[tuple[str, str, str, str, Callable[[VideoScores], np.ndarray]]] = [
        (
            "F",
            "Flicker F",
            "times the reference",
            f"{along}, over the reference? 1: as steady.",
            lambda v: curve(v, "F"),
        ),
        (
            "change",
            "Change from frame to frame, along the motion",
            "% of the range",
            f"{along}, in % of the range of values? {mean}{floor}",
            lambda v: percent * np.sqrt(curve(v, "warp_error")),
        ),
        (
            "R",
            "Fast changes of the error" if reference else "Fast changes",
            "% of the range",
            f"How much {error} quickly at a fixed pixel, in % of the range of values. {mean}",
            lambda v: percent * curve(v, "fast_changes"),
        ),
        (
            "K",
            "Detail K",
            "1: as much",
            f"Fine detail kept. 1: as sharp as {whose(measurement).removesuffix(OF)}, 0: a blur.",
            lambda v: curve(v, "K"),
        ),
    ]
    found = []
    for name, title, unit, about, curve_of in wanted:
        curves = [curve_of(video) for video in videos]
        if all(len(curve) == number for curve in curves) and any(np.isfinite(curve).any() for curve in curves):
            series: list[dict[str, Any]] = [dict(name=v.name, values=_thinned(c, step)) for v, c in zip(videos, curves)]
            if name == "change" and reference and np.isfinite(own := curve_of(reference)).any():
                series.append(dict(name="reference", values=_thinned(own, step), floor=True))
            words = [
                _in_words(video.name, curve) for video, curve in zip(videos[:20], curves) if np.isfinite(curve).any()
            ]
            found.append(dict(id=name, title=title, unit=unit, about=about, series=series, words=words))
    return found


def _in_words(name: str, curve: np.ndarray) -> dict[str, Any]:
    """A curve for those who do not see it."""
    finite = np.where(np.isfinite(curve), curve, np.nan)
    peak = int(np.nanargmax(finite))
    return dict(name=name, mean=f"{np.nanmean(finite):.3g}", highest=f"{finite[peak]:.3g}", frame=peak)


def _thinned(values: np.ndarray, step: int) -> list[float | None]:
    """Largest of each `step` values; what is no number is None."""
    if step > 1:
        padded = np.append(values, np.full(-len(values) % step, np.nan)).reshape(-1, step)
        values = np.array([np.nanmax(row) if np.isfinite(row).any() else np.nan for row in padded])
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in values.tolist()]


def worst_moments(measurement: Measurement) -> list[dict[str, Any]]:
    """Finds the frames where each video flickers most, half a second apart."""
    found = []
    apart, percent = max(1, round(float(measurement.rate) / 2)), 100 / measurement.peak
    for video in measurement.videos[:MAX_ROWS]:
        values, words = curve(video, "F"), "F {:.3g}"
        if not np.isfinite(values).any():
            values, words = percent * np.sqrt(curve(video, "warp_error")), "changes by {:.3g} %"
        if not np.isfinite(values).any():
            values, words = percent * curve(video, "fast_changes"), "fast changes of {:.3g} %"
        left = np.where(np.isfinite(values), values, -np.inf)
        moments: list[dict[str, Any]] = []
        while len(moments) < WORST and len(left) and np.isfinite(left.max()):
            frame = int(left.argmax())
            moments.append(dict(frame=frame, value=words.format(values[frame])))
            left[max(0, frame - apart) : frame + apart + 1] = -np.inf
        found.append(dict(name=video.name, moments=moments))
    return found


# ---------------------------------------------------------------- the table


def meaning(meter: type[Meter], measurement: Measurement) -> str:
    """Says in words what a measure means."""
    if measurement.compared and meter is DetailMeter:
        return f"fine detail, in parts of that of {measurement.compared}: 1 is as much, 0 a blur"
    return f"{meter.about} ({meter.better})"


def _headings(measurement: Measurement, headings: list[str]) -> list[dict[str, str]]:
    meanings = ["", *(meaning(meter, measurement) for meter in measurement.measures)]
    return [dict(text=text, meaning=said) for text, said in zip(headings, meanings)]


def _cost(meter: type[Meter], value: float) -> float:
    """Distance of a value from the best, or an order of it: less is better."""
    return abs(value - 1) if meter.better == "near 1" else -value if meter.better == "higher" else value


def _rows(measurement: Measurement, rows: list[list[str]]) -> list[dict[str, Any]]:
    """Rows of the table, with the best of each measure marked among the videos: all that are written as it is."""
    best = [""]  # of the names
    for meter in measurement.measures:
        values = [video.values[meter.name] for video in measurement.videos if video.name not in measurement.blurred]
        # without a reference what stands still has the fewest fast changes, and is no better for it
        # and what is as sharp as its source is no better than what is sharper
        values = [] if measurement.compared and meter in (TemporalEnergyMeter, DetailMeter) else values
        written = {meter.format(v): _cost(meter, v) for v in values if not math.isnan(v)}
        best.append(min(written, key=lambda text: written[text]) if len(written) > 1 else "")
    made = []
    for number, row in enumerate(rows):
        is_reference = measurement.reference is not None and number == 0
        cells = [dict(text=text, best=not is_reference and text != "" and text == top) for text, top in zip(row, best)]
        made.append(dict(cells=cells, reference=is_reference))
    return made
