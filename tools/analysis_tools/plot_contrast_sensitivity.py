"""Figure 3 of the paper: what flicker the eye sees, and what the high-pass of S keeps.

Usage: python tools/analysis_tools/plot_contrast_sensitivity.py [OUTPUT] [--spatial 0.5 1 2 4 8] [--sigma 0.15]
       [--overwrite]
"""

import argparse
from pathlib import Path

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.command_line import Parser, claim, run, say, within


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("output", nargs="?", type=Path, default=Path("work_dirs/contrast_sensitivity.png"))
    parser.add_argument(
        "--spatial", type=within("(0, 100]"), nargs="+", default=[0.5, 1, 2, 4, 8], help="cycles per degree"
    )
    parser.add_argument("--sigma", type=within("(0, 100]"), help="of the Gaussian of S, in seconds (default: 0.15)")
    run(parser, plot)


def plot(args: argparse.Namespace) -> None:
    """Draws the curves."""
    claim(args.output, overwrite=args.overwrite)
    import matplotlib
    import torch

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from mmtempreg.functional.contrast_sensitivity import contrast_sensitivity, highpass_response
    from mmtempreg.functional.temporal import SIGMA

    sigma = SIGMA if args.sigma is None else args.sigma
    frequency = torch.linspace(0.01, 30, 3000, dtype=torch.float64)
    figure, axes = plt.subplots(figsize=(6.4, 4), layout="constrained")
    for spatial in args.spatial:
        curve = contrast_sensitivity(torch.tensor(spatial, dtype=torch.float64), frequency)
        axes.plot(frequency, curve / curve.max(), linewidth=1.2, label=f"{spatial:g} cycles/degree")
    highpass = highpass_response(frequency, sigma)
    axes.plot(frequency, highpass, "k--", linewidth=2, label=f"1 - G, sigma = {sigma:g} s")
    axes.set(xscale="log", xlim=(0.1, 30), ylim=(0, 1.05), xlabel="temporal frequency [Hz]")
    axes.set_ylabel("sensitivity, each curve's peak 1")
    axes.legend(fontsize="small", frameon=False)
    with replace_when_written(args.output) as partial:
        figure.savefig(partial, dpi=120)
    say(args.output)


if __name__ == "__main__":
    main()
