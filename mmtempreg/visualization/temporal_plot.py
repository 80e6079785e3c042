"""The picture of a clip's temporal stability: a pixel over time, frame differences, and flicker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from torch import Tensor

from ..fileio import replace_when_written
from ..functional import highpass_energy, log_radiance, saturation_mask, temporal_residual
from .display import log_luminance, tone_map

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def plot_temporal_comparison(
    path: str | Path, truth: Tensor, predictions: Mapping[str, Tensor], fps: float, stops: float = -2.0
) -> None:
    """Writes a picture that compares models on one clip, where the truth is saturated.

    At the top the value of one pixel over time: of those that are saturated throughout, the one at which the first
    of the predictions changes fast where the truth does not. Below, a column for each model: a frame, its change from
    the frame before, and the fast changes of the error (their temporal high-pass, root mean square over the clip).

    Args:
        path: The image file.
        truth: (T, 3, H, W) linear RGB radiance, at least 2 frames.
        predictions: Name -> the same of a model.
        fps: Frames per second.
        stops: Exposure of the frames shown.

    Raises:
        ValueError: If there is nothing to compare or the clip is a single frame.
    """
    if not predictions or len(truth) < 2:
        raise ValueError("a comparison needs at least one prediction and two frames")
    mask = saturation_mask(truth)
    weight = mask.squeeze(1)
    logs = {name: log_luminance(video) for name, video in {"truth": truth, **predictions}.items()}
    energy = {name: (highpass_energy(values, fps) * weight).mean(dim=0) for name, values in logs.items()}
    error = {
        name: (highpass_energy(logs[name] - logs["truth"], fps) * weight).mean(dim=0).sqrt() for name in predictions
    }
    changes = {
        name: (values[1:] - values[:-1]).abs() * torch.minimum(weight[1:], weight[:-1]) for name, values in logs.items()
    }
    log_truth = log_radiance(truth)
    first = next(iter(predictions))
    always = weight.mean(dim=0)
    candidates = (energy[first] - energy["truth"]).masked_fill(always < always.max(), -torch.inf)
    y, x = np.unravel_index(int(candidates.argmax()), always.shape)
    frame = int((changes[first] - changes["truth"]).mean(dim=(1, 2)).argmax()) + 1

    columns = len(logs)
    figure = plt.figure(figsize=(2.4 * columns, 9.4), layout="constrained")
    grid = figure.add_gridspec(4, columns, height_ratios=[1.25, 1, 1, 1])
    axes = figure.add_subplot(grid[0, :])
    seconds = np.arange(len(truth)) / fps
    for name, values in logs.items():
        style = dict(color="black", linewidth=2.2, alpha=0.5) if name == "truth" else dict(linewidth=1.2)
        axes.plot(seconds, values[:, y, x], label=name, **style)
    axes.set(xlabel="time [s]", ylabel="log luminance")
    axes.set_title(f"pixel ({x}, {y}) over time", loc="left")
    axes.margins(x=0)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=columns, fontsize="small", frameon=False)

    brightest_change = float(torch.stack([change[frame - 1] for change in changes.values()]).quantile(0.998))
    brightest_error = float(torch.stack(list(error.values())).quantile(0.998))
    for column, name in enumerate(logs):
        video = truth if name == "truth" else predictions[name]
        title = name
        if name != "truth":
            title += f"\nR = {temporal_residual(log_truth, log_radiance(video), fps, mask=mask):.3f}"
        _tile(figure.add_subplot(grid[1, column]), tone_map(video[frame], stops), title)
        axes = figure.add_subplot(grid[2, column])
        _tile(axes, changes[name][frame - 1], "", vmin=0, vmax=brightest_change, cmap="magma")
        if column == 0:
            axes.set_ylabel("change from\nframe to frame")
        if name == "truth":
            continue
        axes = figure.add_subplot(grid[3, column])
        _tile(axes, error[name], "", vmin=0, vmax=brightest_error, cmap="inferno")
        if column == 1:
            axes.set_ylabel("fast changes\nof the error")
    with replace_when_written(path) as partial:
        figure.savefig(partial, dpi=110)
    plt.close(figure)


def _tile(axes: plt.Axes, image: np.ndarray | Tensor, title: str, **kwargs: Any) -> None:
    axes.imshow(image, interpolation="nearest", **kwargs)
    axes.set(xticks=[], yticks=[], title=title)
