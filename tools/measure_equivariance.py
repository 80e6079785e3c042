"""Measures whether a network's prediction moves with the picture, from a folder of images: a still measure of flicker.

Usage: python tools/measure_equivariance.py CONFIG CHECKPOINT IMAGES [--num-images 32] [--crop 256] [--transforms 4]
       [--device cpu] [--json FILE] [--cfg-options KEY=VALUE ...]

CONFIG is any config of a single-image model, IMAGES a folder. Prints EQ in dB, the PSNR between f(T(x)) and T(f(x)) for
random small T: of translations alone (EQ-T, up to 2 pixels), of rotations alone (EQ-R, up to 1 degree), as StyleGAN3
has it (Karras et al. 2021), and of all of the paper's Table 1 (EQ). Higher is steadier. A blur has a high EQ too:
compare with K on a video, or look at the pictures. Radiance is compared as ln(v + 1/255), with the peak 7.844.
"""

import argparse
import json
import math
import sys
from pathlib import Path

from mmengine.config import Config, DictAction

import mmtempreg  # noqa: F401, before MMagic is imported


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("checkpoint")
    parser.add_argument("images", type=Path, help="folder")
    parser.add_argument("--num-images", type=int, default=32, help="the first of them (default: 32)")
    parser.add_argument("--crop", type=int, default=256, help="edge of the middle part that is taken (default: 256)")
    parser.add_argument("--transforms", type=int, default=4, help="T of each kind for each image (default: 4)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="write the values")
    parser.add_argument("--cfg-options", nargs="+", action=DictAction)
    args = parser.parse_args()
    for name in ("num_images", "crop", "transforms"):
        if getattr(args, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be 1 at least, got {getattr(args, name)}")
    try:
        config = Config.fromfile(args.config)
        config.merge_from_dict(args.cfg_options or {})
        measure(config, args)
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def measure(config: Config, args: argparse.Namespace) -> None:
    """Measures, prints, and writes what was asked for."""
    from tqdm import tqdm

    from mmtempreg.apis import FrameModel, find_images, measure_image_equivariance
    from mmtempreg.atomic_write import replace_when_written
    from mmtempreg.tables import print_table

    files = find_images(args.images)[: args.num_images]
    model = FrameModel(config, args.checkpoint, args.device)
    progress = tqdm(files, unit="image", dynamic_ncols=True, leave=False)
    found = measure_image_equivariance(model, progress, args.crop, args.transforms)
    if args.json:
        values = {kind: value if math.isfinite(value) else str(value) for kind, value in found.items()}
        with replace_when_written(args.json) as partial:
            partial.write_text(json.dumps(dict(num_images=len(files), crop=args.crop, **values), indent=2))
    print_table([f"{kind} [dB]" for kind in found], [[f"{value:.2f}" for value in found.values()]])


if __name__ == "__main__":
    main()
