"""Makes a checkpoint of `configs/expandnet` out of published weights of ExpandNet.

Usage: python tools/model_converters/convert_expandnet.py IN_FILE.pth OUT_FILE.pth [--overwrite]

IN_FILE is a state dict by the names of ExpandNet's public PyTorch code (`local_net`, `mid_net`, `glob_net`, `end_net`).
"""

from __future__ import annotations

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

    from mmtempreg.models.hdr.expandnet import convert_expandnet
    from mmtempreg.openmmlab.checkpoints import read_weights

    try:
        state = convert_expandnet(read_weights(args.in_file))
    except ValueError as error:
        raise ValueError(f"{args.in_file}: {error}") from error
    with replace_when_written(args.out_file) as partial:
        torch.save(dict(state_dict={f"generator.{name}": value for name, value in state.items()}), partial)
    say(f"{args.out_file}: {len(state)} tensors, {sum(value.numel() for value in state.values()):,} weights")


if __name__ == "__main__":
    main()
