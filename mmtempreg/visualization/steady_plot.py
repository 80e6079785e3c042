"""The picture of a network before and after it was made steady."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import torch
from torch import Tensor

from ..apis.steady import Clip, Steady
from ..functional import to_pixels
from ..meters import DOMAINS, WarpErrorMeter
from ..utils.atomic_write import replace_when_written
from .display import tone_map

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def plot_steady(path: str | Path, result: Steady) -> None:
    """Draws a frame before and after, where each changes along the motion, and flicker over detail of all strengths.

    Args:
        path: The image file.
        result: What `make_steady` gave.

    Raises:
        ValueError: If it has no clip.
    """
    clip = result.clip
    if clip is None:
        raise ValueError("there is no clip to draw")
    figure, axes = plt.subplots(2, 3, figsize=(11, 7.2), layout="constrained")
    middle = len(clip.before) // 2
    shown = {"what the network sees": clip.picture.seen[middle]}
    for name, frames in (("as it came", clip.before), ("steady" if result.improved else "after", clip.after)):
        shown[name] = frames[middle]
    for axis, (name, frame) in zip(axes[0], shown.items()):
        radiance = DOMAINS[clip.domain].radiance and axis is not axes[0, 0]
        axis.imshow(tone_map(frame) if radiance else to_pixels(frame), interpolation="nearest")
        axis.set_title(name)
        axis.axis("off")
    maps = [_changes(frames, clip) for frames in (clip.before, clip.after)]
    top = float(np.nanquantile(maps[0], 0.995))
    for axis, values in zip(axes[1, 1:], maps):
        drawn = axis.imshow(values, vmin=0, vmax=top, cmap="inferno", interpolation="nearest")
        axis.set_title("change along the motion")
        axis.axis("off")
    figure.colorbar(drawn, ax=axes[1, 1:], shrink=0.8, label=f"root mean square of {DOMAINS[clip.domain].about}")
    _draw_frontier(axes[1, 0], result)
    with replace_when_written(path) as partial:
        figure.savefig(partial, dpi=100)
    plt.close(figure)


def _changes(frames: Tensor, clip: Clip) -> np.ndarray:
    """(H, W) root mean square of the change along the motion."""
    meter = WarpErrorMeter()
    meter.keep = True
    for number, frame in enumerate(DOMAINS[clip.domain].convert(frames)):
        meter.update(frame, motion=clip.picture.motion if number else None)
    meter.finish()
    return meter.map()


def _draw_frontier(axis: plt.Axes, result: Steady) -> None:
    """Flicker and detail of the network as it came and of all strengths that were tried."""
    points = {"as it came": result.before} | {f"{strength:g}": quality for strength, quality in result.tried.items()}
    kept, flicker = (torch.tensor([getattr(q, name) for q in points.values()]) for name in ("kept", "flicker"))
    axis.plot(kept, flicker, color="0.6", linewidth=1)
    axis.scatter(kept, flicker, color="tab:blue")
    if result.improved:
        axis.scatter([result.after.kept], [result.after.flicker], s=120, facecolors="none", edgecolors="tab:red")
    middle, top, labelled = float(kept.min() + kept.max()) / 2, float(flicker.max()), torch.inf
    for (name, quality), x, y in zip(points.items(), kept, flicker):
        if abs(labelled - y) < 0.06 * top and quality is not result.after:
            continue  # two names on each other say less than one
        labelled = float(y)
        side, place = ("right", (-7, 4)) if x > middle else ("left", (5, -10))  # inside, and beside the line
        axis.annotate(name, (x, y), textcoords="offset points", xytext=place, ha=side, fontsize="small")
    axis.margins(x=0.15)
    axis.set(xlabel="detail kept (1: as it came)", ylabel="flicker F (1: as steady as the scene)")
    axis.set_ylim(0, 1.15 * float(flicker.max()))
    axis.set_title("strengths: what is ringed was taken" if result.improved else "strengths: none was taken")
    axis.grid(alpha=0.3)
