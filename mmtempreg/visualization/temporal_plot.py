"""The picture of a clip's temporal stability: a point of the scene over time, and the change along the motion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from torch import Tensor

from ..functional import Motion, bring, compose, log_radiance, saturation_mask
from ..meters import DetailMeter, FlickerMeter
from ..meters.domains import DOMAINS, MAX_RADIANCE
from ..utils.atomic_write import replace_when_written
from .display import log_luminance, tone_map

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ENOUGH = 20
"""Points that must be left to choose from, for a frame to be followed back to."""


@matplotlib.rc_context({"text.parse_math": False})  # names may hold a $
def plot_temporal_comparison(
    path: str | Path,
    truth: Tensor,
    predictions: Mapping[str, Tensor],
    *,
    fps: float,
    motions: Sequence[Motion | None],
    stops: float = -2.0,
) -> None:
    """Writes a picture that compares models on one clip, where the truth is saturated.

    At the top the value of one point of the scene over time, followed along the motion: of those that are seen and
    saturated as far back as any are, the one at which the first of the predictions changes most. Below, a column for
    each model: a frame with F and K, and the change along the motion, root mean square over the clip.

    Args:
        path: The image file.
        truth: (T, 3, H, W) linear RGB radiance, at least 2 frames.
        predictions: Name -> the same of a model.
        fps: Frames per second.
        motions: To each frame from the one before; the first is not looked at.
        stops: Exposure of the frames shown.

    Raises:
        ValueError: If there is nothing to compare or the clip is a single frame.
    """
    if not predictions or len(truth) < 2:
        raise ValueError("a comparison needs at least one prediction and two frames")
    videos = {"truth": truth, **predictions}
    maps, titles = {}, {}
    for name, video in videos.items():
        maps[name], values = _measure(video, truth, motions)
        titles[name] = name if name == "truth" else f"{name}\nF = {values['F']}, K = {values['K']}"
    first, series = follow([log_luminance(video) for video in videos.values()], saturation_mask(truth), motions)
    wobble = series[1].diff(dim=0).square().mean(dim=0)
    point = int(torch.where(series.isfinite().all(dim=0).all(dim=0), wobble, -torch.inf).argmax())

    figure = plt.figure(figsize=(2.4 * len(videos), 7.2), layout="constrained")
    grid = figure.add_gridspec(3, len(videos), height_ratios=[1.25, 1, 1])
    axes = figure.add_subplot(grid[0, :])
    seconds = np.arange(first, len(truth)) / fps
    for name, values in zip(videos, series):
        style = dict(color="black", linewidth=2.2, alpha=0.5) if name == "truth" else dict(linewidth=1.2)
        axes.plot(seconds, values[:, point], label=name, **style)
    axes.set(xlabel="time [s]", ylabel="luminance [ln]")
    axes.set_title("a point of the scene, followed", loc="left", fontsize="medium")
    axes.margins(x=0)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(videos), fontsize="small", frameon=False)

    finite = np.concatenate([m[np.isfinite(m)] for m in maps.values()])
    brightest = float(np.quantile(finite, 0.995)) if len(finite) else 1.0
    row = []
    for column, (name, video) in enumerate(videos.items()):
        _tile(figure.add_subplot(grid[1, column]), tone_map(video[len(video) // 2], stops), titles[name])
        axes = figure.add_subplot(grid[2, column])
        picture = _tile(axes, maps[name], "", vmin=0, vmax=brightest, cmap="inferno")
        row.append(axes)
        if column == 0:
            axes.set_ylabel("change along\nthe motion")
    figure.colorbar(picture, ax=row, shrink=0.8, pad=0.01, label="rms change of ln(radiance)")
    with replace_when_written(path) as partial:
        figure.savefig(partial, dpi=110)
    plt.close(figure)


def _measure(video: Tensor, truth: Tensor, motions: Sequence[Motion | None]) -> tuple[np.ndarray, dict[str, str]]:
    """The map of the change along the motion, and F and K as in tables."""
    flicker, detail = FlickerMeter(peak=DOMAINS["log"].peak(MAX_RADIANCE)), DetailMeter()
    flicker.keep = True
    for number, (frame, target, motion) in enumerate(zip(video, truth, motions)):
        pair, mask = (log_radiance(frame), log_radiance(target)), saturation_mask(target)
        flicker.update(*pair, mask, motion if number else None)
        detail.update(*pair, mask)
    values = dict(F=flicker.format(flicker.value(flicker.finish())), K=detail.format(detail.value(detail.finish())))
    return flicker.map(), values


def follow(videos: Sequence[Tensor], mask: Tensor, motions: Sequence[Motion | None]) -> tuple[int, Tensor]:
    """The values at the points of the last frame, followed back along the motion.

    Args:
        videos: (T, H, W) each.
        mask: (T, 1, H, W), which must stay above 0.99 for a point to be followed.
        motions: The motion to each frame from the one before.

    Returns:
        The first frame that `ENOUGH` points can be followed back to, and (videos, frames, points) values from there on;
        nan where a point is not seen.
    """
    size = videos[0].shape[-2:]
    way = Motion(torch.zeros(2, *size), torch.ones(1, *size))
    frames: list[Tensor] = []
    for number in range(len(mask) - 1, -1, -1):
        saturated = bring(mask[number], way, "bilinear") > 0.99
        visible = way.visible * saturated
        if frames and int(visible.sum()) < ENOUGH:
            break
        way = Motion(way.flow, visible)
        values = torch.cat([bring(video[number][None], way, "bilinear") for video in videos])
        frames.append(torch.where(visible > 0, values, torch.nan).flatten(1))
        motion = motions[number]
        if motion is None:
            break
        way = compose(way, motion)
    return len(mask) - len(frames), torch.stack(frames[::-1], dim=1)


def _tile(axes: plt.Axes, image: np.ndarray | Tensor, title: str, **kwargs: Any) -> Any:
    axes.set_facecolor("0.85")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize="medium")
    return axes.imshow(image, interpolation="nearest", **kwargs)
