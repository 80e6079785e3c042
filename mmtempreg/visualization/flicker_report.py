"""The report of a measurement: a picture, or a page that holds it all in one file."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

import matplotlib
import numpy as np

from ..apis.video_measurement import Measurement, VideoScores
from ..atomic_write import replace_when_written
from ..meters import DOMAINS

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PIXELS = 2
"""Pixels that are shown over time."""


def plot_measurement(measurement: Measurement) -> plt.Figure:
    """Pixels over time, the change along the motion over time, and where it is.

    The pixels are those of the remembered grid that the first video changes fastest where the reference does not (or at
    all without a reference). Where the change along the motion was not measured, the fast changes at fixed pixels are
    shown: of the error, or of the video itself.
    """
    videos, reference = measurement.videos, measurement.reference
    shown = [*([reference] if reference else []), *videos]
    figure = plt.figure(figsize=(max(9.0, 3.0 * len(videos)), 10), layout="constrained")
    grid = figure.add_gridspec(PIXELS + 2, len(videos), height_ratios=[1] * (PIXELS + 1) + [1.3])
    seconds = np.arange(measurement.num_frames) / float(measurement.rate)
    for row, index in enumerate(_restless(measurement)):
        axes = figure.add_subplot(grid[row, :])
        for video in shown:
            axes.plot(seconds, video.pixels[:, index], label=video.name, **_style(video is reference))
        x, y = measurement.positions[index]
        axes.set_title(f"luminance of pixel ({x}, {y}) over time", loc="left", fontsize="medium")
        axes.margins(x=0)
        if row == 0:
            axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(shown), fontsize="small", frameon=False)
    axes = figure.add_subplot(grid[PIXELS, :])
    what, series, maps = _changes(measurement)
    for number, values in enumerate(series):
        axes.plot(seconds, values, color=f"C{number}", linewidth=1.2)
    floor = reference.values.get("warp_error", np.nan) if reference else np.nan
    if what == ALONG and np.isfinite(floor):
        axes.axhline(np.sqrt(floor), label="reference", **_style(True))
        axes.legend(loc="upper right", fontsize="small", frameon=False)
    axes.set_title(f"{what} (root mean square over the picture)", loc="left", fontsize="medium")
    axes.set(xlabel="time [s]", ylim=(0, None))
    axes.margins(x=0)
    brightest = max((float(np.nanquantile(m, 0.995)) for m in maps if np.isfinite(m).any()), default=1.0)
    for column, video in enumerate(videos):
        axes = figure.add_subplot(grid[PIXELS + 1, column])
        picture = axes.imshow(maps[column], vmin=0, vmax=brightest or 1, cmap="inferno")
        numbers = ", ".join(f"{name} {video.cell(name)}" for name in ("F", "K") if name in video.values)
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"{video.name}\n{numbers}" if numbers else video.name, fontsize="medium")
        if column == 0:
            axes.set_ylabel(what)
    figure.colorbar(picture, ax=axes, shrink=0.8)
    return figure


ALONG = "change along the motion"


def _changes(measurement: Measurement) -> tuple[str, list[np.ndarray], list[np.ndarray]]:
    """What is shown over time and over the picture, and its values for each video."""
    videos = measurement.videos
    if all(np.isfinite(video.change_over_time).any() for video in videos):
        return ALONG, [np.sqrt(video.change_over_time) for video in videos], [video.change_map for video in videos]
    what = "fast changes of the error" if measurement.reference else "fast changes"
    return what, [video.flicker_over_time for video in videos], [video.flicker_map for video in videos]


def _style(is_reference: bool) -> dict:
    return dict(color="black", linewidth=2.2, alpha=0.4) if is_reference else dict(linewidth=1.1)


def _restless(measurement: Measurement) -> list[int]:
    """Pixels to show, apart from each other: those that change most from frame to frame beyond the reference."""

    def changes(video: VideoScores) -> np.ndarray:
        return np.abs(np.diff(video.pixels, axis=0)).mean(axis=0)

    excess = changes(measurement.videos[0])
    if measurement.reference:
        excess = excess - changes(measurement.reference)
    chosen: list[int] = []
    for index in np.argsort(-excess):
        apart = [np.abs(measurement.positions[index] - measurement.positions[k]).max() for k in chosen]
        if all(distance > min(measurement.size) / 4 for distance in apart):
            chosen.append(int(index))
        if len(chosen) == PIXELS:
            break
    return chosen


def write_report(path: str | Path, measurement: Measurement) -> None:
    """Writes the picture (.png, .pdf, .svg), or a page (.html) of the table and the picture that needs no other file.

    Raises:
        ValueError: If the name ends otherwise.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".html", ".png", ".pdf", ".svg"):
        raise ValueError(f"{path}: a report ends in .html, .png, .pdf or .svg")
    figure = plot_measurement(measurement)
    with replace_when_written(path) as partial:
        if suffix == ".html":
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=110)
            partial.write_text(_page(measurement, base64.b64encode(buffer.getvalue()).decode()), encoding="utf-8")
        else:
            figure.savefig(partial, dpi=110)
    plt.close(figure)


def _page(measurement: Measurement, picture: str) -> str:
    headings, rows = measurement.table()
    cells = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in rows]
    head = "".join(f"<th>{html.escape(heading)}</th>" for heading in headings)
    meanings = "".join(
        f"<dt>{html.escape(meter.title)}</dt><dd>{html.escape(meter.about)} ({meter.better})</dd>"
        for meter in measurement.measures
    )
    height, width = measurement.size
    about = f"{measurement.num_frames} frames of {width}x{height} at {float(measurement.rate):.4g} per second"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Flicker</title><style>
body {{ font: 15px/1.5 sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em }}
table {{ border-collapse: collapse }} td, th {{ padding: .2em .8em; text-align: right; border-bottom: 1px solid #ccc }}
td:first-child, th:first-child {{ text-align: left }} dt {{ float: left; width: 7em; font-weight: bold }}
img {{ max-width: 100%; margin-top: 1em }}
</style></head><body>
<h1>How much it flickers</h1>
<p>{about}, compared as {html.escape(DOMAINS[measurement.domain].about)}.</p>
<table><tr>{head}</tr>{"".join(f"<tr>{row}</tr>" for row in cells)}</table>
{"".join(f"<p>{html.escape(note)}.</p>" for note in measurement.notes())}
<dl>{meanings}</dl>
<img alt="pixels and flicker over time, and where it flickers" src="data:image/png;base64,{picture}">
</body></html>
"""
