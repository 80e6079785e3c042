"""Why does my network flicker? Does its prediction move with the picture, and what keeps it from that?

Usage: python tools/measure_equivariance.py CONFIG CHECKPOINT IMAGES [--num-images 32] [--crop 256] [--transforms 4]
       [--why] [--noise 2] [--plot FILE.png] [--device cpu] [--json FILE] [--overwrite] [--cfg-options KEY=VALUE ...]

CONFIG is any config of a single-image model, IMAGES a folder.

--why prints how much the prediction changes (mean square) when the picture moves by 1, 2, 4 ... whole pixels, as the
network is and with its strides and pooling anti-aliased, one by one and all, and when the picture has other noise; and
says what is to blame and what helps. A network without phase would have zeros. --plot draws it. Of the first 8 images.

Prints EQ in dB, the PSNR between f(T(x)) and T(f(x)) for random small T: of translations alone (EQ-T, up to 2 pixels),
of rotations alone (EQ-R, up to 1 degree), as StyleGAN3 has it (Karras et al. 2021), and of all of the paper's Table 1
(EQ). Higher is steadier. A blur has a high EQ too: compare with K on a video, or look at the pictures. Radiance is
compared as ln(v + 1/255), with the peak 7.844.
"""

import argparse
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.command_line import WHOLE, Assignments, Parser, Results, claim, run, say, within


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("config")
    parser.add_argument("checkpoint")
    parser.add_argument("images", type=Path, help="folder")
    parser.add_argument("--num-images", type=WHOLE, default=32, help="the first of them (default: 32)")
    parser.add_argument(
        "--crop", type=within("[8, inf)", int), default=256, help="edge of the middle part that is taken (default: 256)"
    )
    parser.add_argument(
        "--transforms", type=within("[1, 1000]", int), default=4, help="T of each kind for each image (default: 4)"
    )
    parser.add_argument("--why", action="store_true", help="which strides, or noise: what is to blame?")
    parser.add_argument(
        "--noise", type=within("[0, 255]"), default=2.0, help="8-bit levels of noise that frames have (default: 2)"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw what --why finds")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="write the values")
    parser.add_argument("--cfg-options", nargs="+", action=Assignments)
    run(parser, measure)


def measure(args: argparse.Namespace) -> None:
    """Measures, prints, and writes what was asked for."""
    if args.plot and not args.why:
        raise ValueError("--plot draws what --why finds: give both")
    from mmtempreg.openmmlab.configs import read_config

    config = read_config(args.config, args.cfg_options)
    claim(args.json, args.plot, inputs=[args.config, args.checkpoint, args.images], overwrite=args.overwrite)
    from tqdm import tqdm

    from mmtempreg.apis import FrameModel, find_flicker_causes, find_images, measure_image_equivariance
    from mmtempreg.utils.tables import print_table

    files = find_images(args.images)[: args.num_images]
    model = FrameModel(config, args.checkpoint, device=args.device)

    def progress(of: list[Path]) -> Iterable[Path]:
        return tqdm(of, unit="image", dynamic_ncols=True, leave=False)

    values: dict[str, Any] = {}
    if args.why:
        causes = find_flicker_causes(model, progress(files[:8]), crop=args.crop, noise=args.noise)
        values["causes"] = causes.as_dict()
        print_table(*causes.table())
        say(causes.verdict())
    found = measure_image_equivariance(model, progress(files), crop=args.crop, num_transforms=args.transforms)
    values |= {kind: value if math.isfinite(value) else str(value) for kind, value in found.items()}

    def write_json() -> None:
        with replace_when_written(args.json) as partial:
            partial.write_text(json.dumps(dict(num_images=len(files), crop=args.crop, **values), indent=2))

    def plot() -> None:
        from mmtempreg.visualization import plot_flicker_causes

        plot_flicker_causes(args.plot, causes)

    results = Results()
    results.write(args.json, write_json)
    headings = [f"{kind} [dB]" for kind in found]
    results.write("the table", lambda: print_table(headings, [[f"{value:.2f}" for value in found.values()]]))
    results.write(args.plot, plot)
    results.finish()


if __name__ == "__main__":
    main()
