"""Writes the network between two: the strength of a fine-tuning, chosen after it.

Usage: python tools/blend_checkpoints.py BEFORE AFTER OUT --strength 0.5 [--overwrite]

Weights and buffers of OUT are (1 - strength) of BEFORE's and strength of AFTER's: 0 is BEFORE, 1 is AFTER. Both are
checkpoints of one network, such as before and after its fine-tuning. Whether strides are anti-aliased is AFTER's.
"""

import argparse
from pathlib import Path

from mmtempreg.utils.command_line import Parser, claim, run, say, within


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("before")
    parser.add_argument("after")
    parser.add_argument("out", type=Path)
    parser.add_argument("--strength", type=within("[0, 1]"), required=True, help="share of AFTER")
    run(parser, blend)


def blend(args: argparse.Namespace) -> None:
    """Checks the output, then blends."""
    claim(args.out, inputs=[args.before, args.after], overwrite=args.overwrite)
    from mmtempreg.apis import blend_checkpoints

    blend_checkpoints(args.before, args.after, strength=args.strength, out=args.out)
    say(f"{args.out}: {args.strength:g} of the way from {args.before} to {args.after}")


if __name__ == "__main__":
    main()
