"""The picture of why a network flickers."""

from __future__ import annotations

from pathlib import Path

import matplotlib

from ..apis.flicker_causes import FlickerCauses
from ..utils.atomic_write import replace_when_written

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def plot_flicker_causes(path: str | Path, causes: FlickerCauses) -> None:
    """Draws how much the prediction changes when the picture moves by whole pixels, and with noise.

    A curve each for the network as it is, with one stage after the other anti-aliased, and with all; at the right the
    change with noise.

    Args:
        path: The image file.
        causes: What `find_flicker_causes` has found.
    """
    shifts = list(causes.as_it_is.shifts)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9, 4.2), layout="constrained", sharey=True, gridspec_kw=dict(width_ratios=[5, 1])
    )
    for name, changes in causes.rows.items():
        bold = name in ("as it is", "all anti-aliased")
        style = dict(linewidth=2.4, marker="o") if bold else dict(linewidth=1, marker=".", alpha=0.8)
        (line,) = left.plot(range(len(shifts)), list(changes.shifts.values()), label=name, **style)
        right.plot([0], [changes.noise], color=line.get_color(), marker="o" if bold else ".")
    left.set_xticks(range(len(shifts)), [str(shift) for shift in shifts])
    left.set(yscale="log", xlabel="the picture moves by [pixels]", ylabel="change of the prediction (mean square)")
    left.legend(fontsize="small", frameon=False)
    left.grid(alpha=0.3)
    right.set_xticks([0], [f"noise of\n{causes.noise:g} levels"])
    right.grid(alpha=0.3)
    with replace_when_written(path) as partial:
        figure.savefig(partial, dpi=110)
    plt.close(figure)
