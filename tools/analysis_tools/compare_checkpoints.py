"""Shows what checkpoints of one network do to a moving clip: a picture and a side-by-side video.

Usage: python tools/analysis_tools/compare_checkpoints.py CONFIG NAME=CHECKPOINT ... [--clip N] [--out-dir DIR]
       [--overwrite] [--cfg-options ...]

The clip is one of the config's test clips. Writes temporal.png and side_by_side.mp4.
"""

import argparse
from itertools import pairwise
from pathlib import Path

from mmtempreg.utils.command_line import COUNT, STOPS, Assignments, Parser, claim, distinct, named, run, say


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("config")
    parser.add_argument("checkpoints", nargs="+", type=named, metavar="NAME=CHECKPOINT")
    parser.add_argument("--clip", type=COUNT, default=0, help="number of the test clip")
    parser.add_argument("--out-dir", type=Path, default=Path("work_dirs/compare"))
    parser.add_argument("--stops", type=STOPS, default=-2.0, help="exposure of what is shown")
    parser.add_argument("--cfg-options", nargs="+", action=Assignments)
    run(parser, compare)


def compare(args: argparse.Namespace) -> None:
    """Runs the checkpoints over a clip, and draws what they make of it."""
    import torch
    from tqdm import tqdm

    from mmtempreg.apis import load_model, load_test_clips, predict_clip
    from mmtempreg.functional import estimate_motion, to_display, to_pixels
    from mmtempreg.openmmlab.configs import read_config
    from mmtempreg.visualization import plot_temporal_comparison, tone_map, write_comparison_video

    config = read_config(args.config, args.cfg_options)
    checkpoints = distinct(args.checkpoints)
    picture, video = args.out_dir / "temporal.png", args.out_dir / "side_by_side.mp4"
    claim(picture, video, inputs=[args.config, *checkpoints.values()], overwrite=args.overwrite)
    dataset = load_test_clips(config)
    predictions = {}
    for name, checkpoint in checkpoints.items():
        frames = predict_clip(load_model(config, checkpoint), dataset, args.clip)
        clip = list(tqdm(frames, desc=name, unit="frame"))
        predictions[name] = torch.stack([frame.prediction for frame in clip])
    images, truth = (torch.stack([getattr(frame, part) for frame in clip]) for part in ("image", "truth"))
    fps = dataset.data_list[0]["fps"]

    motions = [frame.motion for frame in clip]
    if len(motions) > 1 and motions[1] is None:
        guides = [to_display(frame, args.stops) for frame in truth]
        motions = [None, *(estimate_motion(now, then) for then, now in pairwise(guides))]
    plot_temporal_comparison(picture, truth, predictions, fps=fps, motions=motions, stops=args.stops)
    panels = (
        {"input": to_pixels(images[t]), "truth": tone_map(truth[t], args.stops)}
        | {name: tone_map(video[t], args.stops) for name, video in predictions.items()}
        for t in range(len(truth))
    )
    write_comparison_video(video, panels, fps)
    say(f"{picture}\n{video}")


if __name__ == "__main__":
    main()
