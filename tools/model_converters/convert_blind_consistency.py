"""Makes a checkpoint of `configs/blind_consistency` out of the weights that Lai et al. publish.

Usage: python tools/model_converters/convert_blind_consistency.py ECCV18_blind_consistency.pth OUT_FILE.pth
       [--overwrite]

Their normalisation layers, which their code builds and never runs, are left out.
"""

import argparse
from pathlib import Path

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.command_line import Parser, claim, run, say


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("in_file", type=Path)
    parser.add_argument("out_file", type=Path)
    run(parser, make)


def make(args: argparse.Namespace) -> None:
    """Reads, converts and writes."""
    claim(args.out_file, inputs=[args.in_file], overwrite=args.overwrite)
    import torch

    from mmtempreg.models.blind_consistency.published_weights import convert
    from mmtempreg.openmmlab.checkpoints import read_weights

    state = convert(read_weights(args.in_file))
    with replace_when_written(args.out_file) as partial:
        torch.save(dict(state_dict=state), partial)
    say(f"{args.out_file}: {len(state)} tensors")


if __name__ == "__main__":
    main()
