"""Makes a checkpoint of `configs/tempreg/hdr_full_*.py` out of the weights that hdrcnn's authors publish.

Usage: python tools/model_converters/convert_hdrcnn.py hdrcnn_params_plain.npz OUT_FILE.pth [--overwrite]

Their `hdrcnn_params.npz` holds Python objects, which may run any code when they are loaded. Where you trust the file
(or in a container), unpack it once into plain arrays:

    python -c "import numpy as np; p = np.load('hdrcnn_params.npz', allow_pickle=True)['params']; \\
        np.savez('hdrcnn_params_plain.npz', *p)"

Of the arrays only the order is known, in which TensorLayer saves a network: each convolution's kernel and bias, each
batch normalisation's beta, gamma, mean and variance, from the input to the output.
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

    from mmtempreg.models.hdr import HDRCNN
    from mmtempreg.models.hdr.published_weights import convert, read_arrays

    state = convert(read_arrays(args.in_file), HDRCNN(**HDRCNN.full_size()))
    with replace_when_written(args.out_file) as partial:
        torch.save(dict(state_dict={f"generator.{name}": value for name, value in state.items()}), partial)
    say(f"{args.out_file}: {len(state)} tensors, {args.out_file.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
