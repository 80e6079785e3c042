"""S and R where the truth stays saturated for the temporal filter's whole window, beside those of all that saturates.

Usage: python tools/analysis_tools/steady_regions.py CONFIG NAME=CHECKPOINT ... [--clips 0 1 2 3] [--cfg-options ...]

When an occluder passes before a light, the truth jumps by several units of log radiance, and every model follows, since
what it hides is not saturated. Such jumps can make up nearly all of sum D(y), and hide what a model does to the
lights themselves. The clips are test clips of the config, held in memory one at a time.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from mmtempreg.utils.command_line import COUNT, Assignments, Parser, distinct, named, run, say

if TYPE_CHECKING:
    from torch import Tensor


def steady_mask(mask: Tensor, radius: int) -> Tensor:
    """The smallest value of a (T, 1, H, W) mask in the 2 radius + 1 frames around each."""
    import torch.nn.functional as F

    series = mask.permute(2, 3, 1, 0).flatten(0, 1)
    smallest = -F.max_pool1d(F.pad(-series, (radius, radius), value=-1.0), 2 * radius + 1, 1)
    return smallest.view(*mask.shape[2:], 1, len(mask)).permute(3, 2, 0, 1)


def main() -> None:
    parser = Parser(__doc__)
    parser.add_argument("config")
    parser.add_argument("checkpoints", nargs="+", type=named, metavar="NAME=CHECKPOINT")
    parser.add_argument("--clips", type=COUNT, nargs="+", default=[0, 1, 2, 3], help="numbers of test clips")
    parser.add_argument("--cfg-options", nargs="+", action=Assignments)
    run(parser, measure)


def measure(args: argparse.Namespace) -> None:
    """Runs the checkpoints over the clips and prints the table."""
    import torch
    from tqdm import tqdm

    from mmtempreg.apis import load_model, load_test_clips, predict_clip
    from mmtempreg.functional import gaussian_kernel, log_radiance, saturation_mask
    from mmtempreg.meters import ResidualMeter, SmoothnessMeter, add_sums, temporal_energies
    from mmtempreg.openmmlab.configs import read_config

    config = read_config(args.config, args.cfg_options)
    dataset = load_test_clips(config)
    fps = dataset.data_list[0]["fps"]
    radius = len(gaussian_kernel(fps)) // 2
    rows = []
    for name, checkpoint in distinct(args.checkpoints).items():
        model = load_model(config, checkpoint)
        everywhere, steady = (0.0,) * 4, (0.0,) * 4
        for clip in tqdm(args.clips, desc=name, unit="clip"):
            frames = list(predict_clip(model, dataset, clip))
            truth, video = (torch.stack([getattr(f, part) for f in frames]) for part in ("truth", "prediction"))
            mask = saturation_mask(truth)
            logs = log_radiance(video), log_radiance(truth)
            everywhere = add_sums(everywhere, temporal_energies(*logs, fps, mask=mask))
            steady = add_sums(steady, temporal_energies(*logs, fps, mask=steady_mask(mask, radius)))
        values = [meter.value(sums) for sums in (everywhere, steady) for meter in (SmoothnessMeter, ResidualMeter)]
        rows.append((name, *values, steady[0] / everywhere[0]))
    say("| | S | R | S, steady | R, steady | steady part of sum D(y) |\n|---|---|---|---|---|---|")
    for name, *values, share in rows:
        say(f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + f" | {100 * share:.2f} % |")


if __name__ == "__main__":
    main()
