"""Writes a test clip of a config as frames: OUT_DIR/input (.png) and OUT_DIR/truth (.exr for radiance).

If the dataset tells the exact motion (`motion_lags`), OUT_DIR/flow/backward holds it as .flo files, each frame's to the
one before, for `tools/measure_video.py --flow OUT_DIR/flow`; vectors of what was hidden are 1e10.

Usage: python tools/analysis_tools/export_clip.py CONFIG OUT_DIR [--clip N] [--cfg-options ...]

Then `tools/process_video.py` runs any model over it, and `tools/measure_video.py` measures what came out.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmtempreg.utils.command_line import COUNT, Assignments, Parser, claim_work_dir, run, say

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("config")
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--clip", type=COUNT, default=0, help="number of the test clip")
    parser.add_argument("--cfg-options", nargs="+", action=Assignments)
    run(parser, work)


def work(args: argparse.Namespace) -> None:
    """Opens the test clips and writes one."""
    claim_work_dir(args.out_dir)
    from mmtempreg.apis import load_test_clips
    from mmtempreg.openmmlab.configs import read_config

    dataset = load_test_clips(read_config(args.config, args.cfg_options))
    export(dataset, args.clip, args.out_dir, args.overwrite)


def export(dataset: Any, clip: int, out_dir: Path, overwrite: bool) -> None:
    """Writes both folders; the rate of the frames is printed."""
    import torch
    from tqdm import tqdm

    from mmtempreg.apis import clip_indices
    from mmtempreg.apis.clips import frame_motion
    from mmtempreg.video import Frame, FrameFolderWriter
    from mmtempreg.video.flow_files import UNKNOWN, write_flow

    indices = clip_indices(dataset, clip)
    rate = Fraction(dataset.data_list[indices[0]]["fps"]).limit_denominator(1001)
    radiance = dataset[indices[0]]["data_samples"].gt_img.is_floating_point()
    images = FrameFolderWriter(out_dir / "input", overwrite=overwrite)
    truths = FrameFolderWriter(out_dir / "truth", ".exr" if radiance else ".png", overwrite=overwrite)
    flows = out_dir / "flow" / "backward"
    with images, truths:
        for number, index in enumerate(tqdm(indices, unit="frame")):
            item = dataset[index]
            about = item["data_samples"].metainfo
            images.write(Frame(_rgb(item["inputs"], about.get("img_channel_order")), number / rate))
            truths.write(Frame(_rgb(item["data_samples"].gt_img, about.get("gt_channel_order")), number / rate))
            motion = frame_motion(item["data_samples"])
            if motion is not None:
                flows.mkdir(parents=True, exist_ok=True)
                write_flow(flows / f"{number:06d}.flo", torch.where(motion.visible > 0, motion.flow, 10 * UNKNOWN))
    say(f"{images.path} and {truths.path}: {len(indices)} frames, --fps {float(rate):g}")


def _rgb(image: Tensor, order: str | None) -> np.ndarray:
    import numpy as np

    return np.ascontiguousarray((image if order == "rgb" else image.flip(0)).permute(1, 2, 0).numpy())


if __name__ == "__main__":
    main()
