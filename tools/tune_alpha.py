"""Finds how strongly to regularise your model: the regularisation and alpha of least flicker that PSNR can afford.

Usage: python tools/tune_alpha.py CONFIG CHECKPOINT [--max-psnr-loss 0.1] [--min-detail 0.95] [--budget 12]
       [--iterations 200] [--work-dir DIR] [--cfg-options KEY=VALUE ...]

CONFIG is a stock config of MMagic or a wrapped one; its training images are all the data that is needed. Some are held
out and moved, as by a hand-held camera and each within itself, and on these pseudo-clips short fine-tunings are
measured. The lowest flicker F along the motion wins (1: as steady as the truth) among those that can be afforded: PSNR
may fall by --max-psnr-loss dB against fine-tuning of the same length without regularisation, and of the network's fine
detail K --min-detail must be kept, since a blur does not flicker either. EQ is how well the prediction moves with the
picture. Prints what was tried, the lines for your config, and what the last doubling of the iterations changed, from
which to tell how much longer to train. What is finished in --work-dir is not done again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mmtempreg.utils.command_line import COUNT, WHOLE, Assignments, Parser, claim_work_dir, run, within

if TYPE_CHECKING:
    from mmtempreg.tuning import TuningResult


def main() -> None:
    parser = Parser(__doc__)
    parser.add_argument("config")
    parser.add_argument("checkpoint")
    parser.add_argument("--max-psnr-loss", type=within("[0, 1000]"), default=0.1, help="dB (default: 0.1)")
    parser.add_argument(
        "--min-detail", type=within("[0, 1000]"), default=0.95, help="part of detail K to keep (default: 0.95)"
    )
    parser.add_argument(
        "--budget", type=within("[1, 10000]", int), default=12, help="fine-tunings at most (default: 12)"
    )
    parser.add_argument("--iterations", type=WHOLE, default=200, help="of a fine-tuning (default: 200)")
    parser.add_argument(
        "--num-clips", type=within("[1, 10000]", int), default=16, help="pseudo-clips, one for each image held out"
    )
    parser.add_argument("--num-frames", type=within("[2, 10000]", int), default=24, help="frames of a pseudo-clip")
    parser.add_argument("--seed", type=COUNT, default=0)
    parser.add_argument("--work-dir", type=Path, help="default: work_dirs/tune_<name of the config>")
    parser.add_argument("--cfg-options", nargs="+", action=Assignments)
    run(parser, tune_and_tell)


def tune_and_tell(args: argparse.Namespace) -> None:
    """Tunes, and prints and writes what came out."""
    from mmtempreg.openmmlab.checkpoints import read_weights
    from mmtempreg.openmmlab.configs import read_config

    config = read_config(args.config, args.cfg_options)
    folder = args.work_dir or Path("work_dirs") / f"tune_{Path(args.config).stem}"
    read_weights(args.checkpoint)
    from mmtempreg.tuning import CANDIDATES
    from mmtempreg.tuning.search import check_budget

    check_budget(args.budget, CANDIDATES)
    claim_work_dir(folder)
    from tqdm import tqdm

    from mmtempreg.tuning import Tuner, tune
    from mmtempreg.utils.atomic_write import replace_when_written
    from mmtempreg.utils.tables import print_table

    tuner = Tuner(
        config,
        args.checkpoint,
        folder,
        iterations=args.iterations,
        num_clips=args.num_clips,
        num_frames=args.num_frames,
        seed=args.seed,
    )
    with tqdm(total=args.budget + 3, unit="trial", desc="tuning", dynamic_ncols=True) as bar:
        tuned = tune(
            tuner,
            max_psnr_loss=args.max_psnr_loss,
            min_detail=args.min_detail,
            budget=args.budget,
            report=lambda trial: bar.update(),
        )
        bar.total = bar.n
        bar.refresh()
    with replace_when_written(folder / "tuned.json") as partial:
        partial.write_text(json.dumps(asdict(tuned), indent=2))
    headings = ["", "alpha", "F", "K", "K kept", "PSNR", "to plain [dB]", "EQ [dB]", "S", "R", "seconds"]
    trials, rows = [tuned.start, tuned.plain, *tuned.trials], []
    for trial in trials:
        name = trial.regularization or ("as it came" if trial is tuned.start else "plain fine-tuning")
        quality = trial.quality
        values = [
            f"{trial.alpha:g}" if trial.alpha else "",
            f"{quality.flicker:.2f}",
            f"{quality.detail:.2f}",
            f"{quality.detail / tuned.start.quality.detail:.2f}",
            f"{quality.psnr:.2f}",
            f"{quality.psnr - tuned.plain.quality.psnr:+.2f}",
            f"{quality.equivariance:.2f}",
            f"{quality.smoothness:.3f}",
            f"{quality.residual:.3f}",
            f"{trial.seconds:.0f}",
        ]
        rows.append([name, *values])
    print_table(headings, rows, bold=next((n for n, trial in enumerate(trials) if trial is tuned.best), None))
    print(f"{args.num_clips} pseudo-clips of {args.num_frames} frames; PSNR in the units of the loss, with peak 1.")
    if tuned.best is None:
        print(
            "Nothing that was tried flickers less than the network as it came, by more than what differs from clip to "
            f"clip, at less than {tuned.max_psnr_loss} dB and {tuned.min_detail} of the detail: allow more, or train "
            "longer (--iterations). tools/steady.py needs no such search."
        )
        return
    print(
        f"Lowest F within {tuned.max_psnr_loss} dB of plain fine-tuning that keeps {tuned.min_detail} of the detail. "
        "For your config:\n"
    )
    for name, value in tuner.wrapping(tuned.best.regularization).items():
        print(f"    {name}={value},")
    print(f"    alpha={tuned.best.alpha:g},\n")
    print(f"Already fine-tuned for {args.iterations} iterations: {tuned.best.checkpoint}")
    if tuned.half:
        print(how_far(tuned, args.iterations))


def how_far(tuned: TuningResult, iterations: int) -> str:
    """Says what the last doubling of the length changed."""
    lines = ["How long to train? These runs are short. To plain fine-tuning of the same length:"]
    assert tuned.best is not None
    assert tuned.half is not None
    for length, best, plain in ((iterations // 2, *tuned.half), (iterations, tuned.best, tuned.plain)):
        kept = best.quality.detail / tuned.start.quality.detail
        psnr = best.quality.psnr - plain.quality.psnr
        lines.append(f"    {length:6d} iterations: F {best.quality.flicker:.2f}, K kept {kept:.2f}, {psnr:+.2f} dB")
    return "\n".join([*lines, "Go on until twice as many change no more than you care for."])


if __name__ == "__main__":
    main()
