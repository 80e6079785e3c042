"""The report of a measurement: a picture, or a page that holds it all in one file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from ..apis.video_measurement import Measurement, Moment, VideoScores, measure_videos
from ..utils.atomic_write import replace_when_written
from ..utils.command_line import REPORTS, printable
from ..video import FrameSource
from .page_recorder import PageRecorder
from .pixel_plot import Region
from .report_page import write_page

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
        axes.axhline(100 / measurement.peak * np.sqrt(floor), label="reference", **_style(True))
        axes.legend(loc="upper right", fontsize="small", frameon=False)
    axes.set_title(f"{what} (root mean square over the picture)", loc="left", fontsize="medium")
    axes.set(xlabel="time [s]", ylabel=UNIT, ylim=(0, None))
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
    figure.colorbar(picture, ax=axes, shrink=0.8, label=UNIT)
    return figure


ALONG = "change along the motion"
UNIT = "% of the range of values"


def _changes(measurement: Measurement) -> tuple[str, list[np.ndarray], list[np.ndarray]]:
    """Name of the measure that is shown over time and over the picture, and its values for each video in `UNIT`."""
    videos, percent = measurement.videos, 100 / measurement.peak
    if all(np.isfinite(video.series.get("warp_error", np.nan)).any() for video in videos):
        curves = [percent * np.sqrt(video.series["warp_error"]) for video in videos]
        return ALONG, curves, [percent * video.maps["warp_error"] for video in videos]
    what = "fast changes of the error" if measurement.reference else "fast changes"
    nothing = np.full(measurement.num_frames, np.nan), np.full(measurement.size, np.nan)
    curves = [percent * video.series.get("fast_changes", nothing[0]) for video in videos]
    return what, curves, [percent * video.maps.get("fast_changes", nothing[1]) for video in videos]


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


def write_report(
    path: str | Path,
    measurement: Measurement,
    recorder: PageRecorder | None = None,
    *,
    title: str = "",
    notes: Sequence[str] = (),
) -> None:
    """Writes the picture (.png, .pdf, .svg), or a page (.html) that needs no other file.

    Args:
        path: The file.
        measurement: What was measured.
        recorder: For a page: what has watched it (`report_videos`); None: the page has no videos.
        title, notes: For a page: what the clip is called, and what else is to be said, without full stops.

    Raises:
        ValueError: If the name ends otherwise.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in REPORTS:
        raise ValueError(f"{path}: a report ends in .html, .png, .pdf or .svg")
    if suffix == ".html":
        write_page(path, measurement, recorder, title=title, notes=notes)
        return
    with matplotlib.rc_context({"text.parse_math": False}):  # names of videos may hold a $
        figure = plot_measurement(measurement)
        with replace_when_written(path) as partial:
            figure.savefig(partial, dpi=110)
        plt.close(figure)


class Report:
    """A report that is made while videos are measured, and written after that; a context manager.

    What goes wrong with it while they are measured does not keep them from that: `write` raises it.

    Args:
        path: As in `write_report`.
        sources: The videos in the order of the measurement, the reference first if there is one.
        assets, region: As in `report_videos`.
        channels: As in `measure_videos`.
        title, notes: As in `report_videos`.
    """

    def __init__(
        self,
        path: str | Path,
        sources: Sequence[FrameSource],
        *,
        assets: str | Path | None = None,
        region: Region | None = None,
        channels: str = "luminance",
        title: str | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.path, self.notes = path, notes
        self.title, self._sources = title, sources
        self._error: Exception | None = None
        self._recorder: PageRecorder | None = None
        if Path(path).suffix.lower() == ".html":
            self._recorder = PageRecorder(
                sources, None if assets is None else Path(assets), region=region, channels=channels
            )

    def __enter__(self) -> Report:
        self._recording = ExitStack()
        if self._recorder:
            self._recording.enter_context(self._recorder)
        return self

    def watch(self, moment: Moment) -> None:
        """Takes the next frame: for `measure_videos(watch=...)`."""
        if self._recorder is None or self._error is not None:
            return
        try:
            self._recorder(moment)
        except Exception as error:
            self._error = error

    def write(self, measurement: Measurement) -> None:
        """Writes it.

        Raises:
            ValueError, OSError: If it could not be made.
        """
        if self._error is not None:
            raise self._error
        self._recording.close()  # ends the video of the page
        title = _title(measurement, self._sources) if self.title is None else self.title
        write_report(self.path, measurement, self._recorder, title=title, notes=self.notes)

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: Any) -> None:
        """Removes what is temporary, and if it was not written the video too."""
        error = value or self._error
        self._recording.__exit__(*((type(error), error, error.__traceback__) if error else (None, None, None)))
        if self._recorder:
            self._recorder.close()


def report_videos(
    path: str | Path,
    processed: Mapping[str, FrameSource],
    reference: FrameSource | None = None,
    *,
    assets: str | Path | None = None,
    region: Region | None = None,
    title: str | None = None,
    notes: Sequence[str] = (),
    **options: Any,
) -> Measurement:
    """Measures videos and writes the report in the same pass.

    Args:
        path: As in `write_report`.
        processed, reference, options: Arguments of `measure_videos`.
        assets: For a page: folder for its video; None: the page holds it, reduced, and of long videos the begin.
        region: For a page: all pixels of this part are kept over time; None: a grid over all of it.
        title: For a page: what the clip is called; None: the name of the reference's file or folder, or without one
            the names of what is compared.
        notes: As in `write_report`.

    Raises:
        ValueError, OSError: As `measure_videos` and `Report` do; no report is left then.
    """
    sources = [*([reference] if reference else []), *processed.values()]
    with Report(
        path,
        sources,
        assets=assets,
        region=region,
        channels=options.get("channels", "luminance"),
        title=title,
        notes=notes,
    ) as report:
        measurement = measure_videos(processed, reference, watch=report.watch, **options)
        report.write(measurement)
    return measurement


def _title(measurement: Measurement, sources: Sequence[FrameSource]) -> str:
    """The reference's file; without one, what is compared."""
    if measurement.reference:
        return sources[0].title
    full = [video.name for video in measurement.videos]
    short = [source.title if name == printable(source.name) else name for name, source in zip(full, sources)]
    names = short if len(set(short)) == len(short) else full  # else they are of several folders
    shown = names if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"]
    made = f", made of {measurement.compared}" * (measurement.compared not in (*short, *full))
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1]))) + made
