"""The report of a measurement: a picture, or a page that holds it all in one file."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

import matplotlib
import numpy as np

from ..apis.video_measurement import Measurement, VideoScores
from ..fileio import replace_when_written

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PIXELS = 2
"""Pixels that are shown over time."""


def plot_measurement(measurement: Measurement) -> plt.Figure:
    """Pixels over time, flicker over time, and where it is.

    The pixels are those of the remembered grid that the first video changes fastest where the reference does not (or at
    all without a reference). Flicker is the root mean square of the high-pass of the error, or of the video itself.
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
    for number, video in enumerate(videos):
        axes.plot(seconds, video.flicker_over_time, color=f"C{number}", linewidth=1.2)
    what = "fast changes of the error" if reference else "fast changes"
    axes.set_title(f"{what} (root mean square over the picture)", loc="left", fontsize="medium")
    axes.set(xlabel="time [s]", ylim=(0, None))
    axes.margins(x=0)
    brightest = max(float(np.quantile(video.flicker_map, 0.995)) for video in videos)
    for column, video in enumerate(videos):
        axes = figure.add_subplot(grid[PIXELS + 1, column])
        picture = axes.imshow(video.flicker_map, vmin=0, vmax=brightest or 1, cmap="inferno")
        values = video.values
        numbers = ", ".join(f"{name} {values[name]:.3f}" for name in ("S", "R") if name in values)
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"{video.name}\n{numbers}" if numbers else video.name, fontsize="medium")
        if column == 0:
            axes.set_ylabel(what)
    figure.colorbar(picture, ax=axes, shrink=0.8)
    return figure


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
        ValueError: For another ending.
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
    height, width = measurement.size
    about = f"{measurement.num_frames} frames of {width}x{height} at {float(measurement.rate):.4g} per second"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Flicker</title><style>
body {{ font: 15px/1.5 sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em }}
table {{ border-collapse: collapse }} td, th {{ padding: .2em .8em; text-align: right; border-bottom: 1px solid #ccc }}
td:first-child, th:first-child {{ text-align: left }} img {{ max-width: 100%; margin-top: 1em }}
</style></head><body>
<h1>How much it flickers</h1>
<p>{about}; S, R and PSNR of {html.escape(measurement.channels)}.</p>
<table><tr>{head}</tr>{"".join(f"<tr>{row}</tr>" for row in cells)}</table>
<p>S above 1: smoother than the reference. R: flicker that the reference does not have, 0 is perfect, 1 is what a frozen
video gets. E_warp, tOF, CDC: lower is better.</p>
<img alt="pixels and flicker over time, and where it flickers" src="data:image/png;base64,{picture}">
</body></html>
"""
