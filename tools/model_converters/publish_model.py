"""Strips a checkpoint to what inference and fine-tuning need: the state dict, on the CPU.

Usage: python tools/model_converters/publish_model.py IN_FILE OUT_FILE [--overwrite]
"""

import argparse
from pathlib import Path

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.command_line import Parser, claim, run, say


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("in_file", type=Path)
    parser.add_argument("out_file", type=Path)
    run(parser, publish)


def publish(args: argparse.Namespace) -> None:
    """Reads and writes."""
    claim(args.out_file, inputs=[args.in_file], overwrite=args.overwrite)
    import torch

    from mmtempreg.openmmlab.checkpoints import check_finite, read_checkpoint, weights_of, with_metadata_of

    checkpoint = read_checkpoint(args.in_file)
    if "state_dict" not in checkpoint:
        raise ValueError(f"{args.in_file} holds no state_dict: it is not a checkpoint of MMEngine")
    weights = {name: value.contiguous().clone() for name, value in weights_of(checkpoint, args.in_file).items()}
    check_finite(weights, args.in_file)
    with replace_when_written(args.out_file) as partial:
        torch.save(dict(state_dict=with_metadata_of(checkpoint, weights)), partial)
    say(f"{args.out_file}: {len(weights)} tensors, {args.out_file.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
