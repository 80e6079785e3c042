"""Makes a network flicker less on video: fine-tunes it on photographs, measures, and writes the same network, steady.

Usage: python tools/steady.py NETWORK CHECKPOINT IMAGES --out steady.pth [--minutes 10 | --iterations N]
       [--network-options KEY=VALUE ...] [--range {0..1,0..255,-1..1}] [--order {RGB,BGR}] [--degrade STEP ...]
       [--min-detail PART] [--max-psnr-loss DB] [--anti-alias] [--invents {auto,yes,no}] [--alpha A] [--seed S]
       [--gpus N] [--work-dir DIR] [--overwrite] [--cfg-options KEY=VALUE ...]

NETWORK is a config of MMagic, or file.py:Name, a class or function that gives any torch.nn.Module from pictures
(N, 3, H, W) to pictures of the same size or a whole multiple. CHECKPOINT is its weights, as your training code saved
them; what is written has the same form. IMAGES is a folder of photographs (and folders in it), 100 or so; no ground
truth is needed: the network as it came is the teacher. Channel range and order of a plain network are found out by
running it, and said.

If its input is a degraded picture, say how that is made: --degrade noise=25, blur=1.6, jpeg=40, or a step of MMagic's
pipelines as "RandomNoise(keys=['img'], params=dict(...))". What the network enlarges is reduced as much by itself.

A fifth of the photographs is held out and moves: on these the networks between before and after are measured, and the
strongest is taken that keeps 0.9 of the detail (0.8 where the network invents it; --min-detail says otherwise) and,
where the scene is what is to be predicted, its PSNR but for 0.1 dB. If nothing flickers less, it says so, writes no
checkpoint and ends with status 3. Ctrl-C ends the training early and measures what there is; the same command goes on
where a killed one stopped.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mmtempreg.utils.command_line import COUNT, WHOLE, Assignments, Parser, claim, claim_work_dir, run, within
from mmtempreg.utils.degradations import degradation

if TYPE_CHECKING:
    from mmtempreg.apis.steady import Steady
    from mmtempreg.apis.steady.quality import Quality

NOTHING_IMPROVED = 3
"""Exit status."""


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("network", metavar="NETWORK")
    parser.add_argument("checkpoint", metavar="CHECKPOINT")
    parser.add_argument("images", metavar="IMAGES", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="the checkpoint that is written")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=within("(0, 100000]"), default=10.0, help="all in all (default: 10)")
    length.add_argument("--iterations", type=WHOLE, help="of the fine-tuning")
    parser.add_argument("--network-options", nargs="+", action=Assignments, help="arguments of file.py:Name")
    parser.add_argument("--range", choices=("0..1", "0..255", "-1..1"), help="of the network's pictures")
    parser.add_argument("--order", choices=("RGB", "BGR"), help="of its channels")
    parser.add_argument(
        "--degrade", nargs="+", type=degradation, metavar="STEP", help="what makes its input of a scene"
    )
    parser.add_argument("--min-detail", type=within("[0, 2]"), help="part of the detail that is kept (default: 0.9)")
    parser.add_argument(
        "--max-psnr-loss", type=within("[0, 1000]"), default=0.1, help="dB, where the truth is known (default: 0.1)"
    )
    parser.add_argument("--invents", choices=("auto", "yes", "no"), default="auto", help="does it invent detail?")
    parser.add_argument("--anti-alias", action="store_true", help="anti-alias its strides too (docs/anti_aliasing.md)")
    parser.add_argument("--alpha", type=within("[0, 1]"), help="strength of the regularisation in training")
    parser.add_argument("--seed", type=COUNT, default=0)
    parser.add_argument("--gpus", type=WHOLE, default=1, help="train on so many (default: 1)")
    parser.add_argument("--work-dir", type=Path, help="default: work_dirs/steady_<name of --out>")
    parser.add_argument("--cfg-options", nargs="+", action=Assignments, help="what differs from the config")
    run(parser, steady)


def steady(args: argparse.Namespace) -> None:
    """Checks what can be checked at once, makes the network steady, and tells."""
    work_dir = args.work_dir or Path("work_dirs") / f"steady_{args.out.stem}"
    claim(args.out, inputs=[args.checkpoint, args.images], overwrite=args.overwrite)
    claim_work_dir(work_dir)
    from mmtempreg.apis import make_steady
    from mmtempreg.openmmlab.configs import read_options
    from mmtempreg.utils.tables import print_table

    result = make_steady(
        args.network,
        args.checkpoint,
        args.images,
        args.out,
        work_dir=work_dir,
        network_options=read_options(args.network_options),
        value_range=args.range,
        order=args.order,
        config_options=read_options(args.cfg_options),
        degrade=args.degrade,
        minutes=args.minutes,
        iterations=args.iterations,
        min_detail=args.min_detail,
        max_psnr_loss=args.max_psnr_loss,
        invents=dict(auto=None, yes=True, no=False)[args.invents],
        anti_alias=args.anti_alias,
        alpha=args.alpha,
        seed=args.seed,
        gpus=args.gpus,
        report=lambda text: print(text, flush=True),
    )
    taken = 1 + list(result.tried).index(result.strength) if result.improved else None
    print_table(*table(result), bold=taken)
    from mmtempreg.visualization import plot_steady

    picture = work_dir / "steady.png"
    plot_steady(picture, result)
    print(result.words)
    print(f"picture: {picture}; config, to go on by hand: {work_dir / 'config.py'}")
    if not result.improved:
        sys.exit(NOTHING_IMPROVED)
    print(f"{result.out}: strength {result.strength:g} of the way from before to after the fine-tuning")
    if args.anti_alias:
        print(
            "Run it with its strides anti-aliased (docs/anti_aliasing.md): without, these weights are another network."
        )


def table(result: Steady) -> tuple[list[str], list[list[str]]]:
    """Headings and rows: before, and all strengths; what was taken has a *. K is told to three digits: two hide what a
    limit of 0.9 sees."""
    rows: list[tuple[str, Quality]] = [("as it came", result.before)]
    rows += [(f"strength {s:g}{' *' * (result.improved and s == result.strength)}", q) for s, q in result.tried.items()]
    truth = not math.isnan(result.before.psnr)
    headings = ["", "F", "K", "K kept", "K true", *(["PSNR [dB]"] if truth else []), "to before [dB]"]
    lines = []
    for name, quality in rows:
        values = [(quality.flicker, 2), (quality.detail, 3), (quality.kept, 3), (quality.true_detail, 3)]
        values += [(quality.psnr, 2)] * truth
        cells = ["n/a" if math.isnan(value) else f"{value:.{decimals}f}" for value, decimals in values]
        lines.append([name, *cells, "" if math.isinf(quality.distance) else f"{quality.distance:.2f}"])
    return headings, lines


if __name__ == "__main__":
    main()
