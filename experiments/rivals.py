"""One table for rivals: image networks as they are, fine-tuned and regularised, and blind video consistency after one.

Usage: python -m experiments.rivals {hdr,color} NAME=CHECKPOINT [NAME=CHECKPOINT ...]
       [--config FILE] [--fit {clip,frame}] [--hold MODULE] [--tile N] [--blind CHECKPOINT] [--shifts N] [--vdp]
       [--out FILE.json] [--videos FOLDER] [--cfg-options KEY=VALUE ...]

Tests every checkpoint on the clips of the task's test config (hdr: pans), or of --config, and `--blind` on what the
first of them predicts, and with --shifts the mean of its predictions over whole-pixel shifts. F, K, K true, PSNR, S and
R are those of the tables of the sweep (color: of a and b; hdr: log domain, saturated pixels, F of a second too); tOF
and with --vdp ColorVideoVDP see display values (hdr: gamma 2.2, white at radiance 10). Frames per second count the
networks alone, one frame at a time, all networks in turn on each of 50 frames; the fastest counts. --videos writes each
clip as it comes out, to look at. Blind consistency of radiance sees (H / 10)^(1/2.2), clipped (Table 4: gamma-
corrected). Chroma is the mean distance from grey in Lab: of two networks the paler one flickers less, which is no
merit.

--fit is for networks that predict radiance on a scale of their own: each clip, or each frame, is brought to the
truth's by the median of truth over prediction where the photograph shows from 0.2 to 0.9. --hold and --tile say what
of the first checkpoint's flicker is a part's: with what MODULE gives of each clip's first frame in all of its frames,
and with frames that are cut into tiles, of which each is a whole picture to the network.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.command_line import WHOLE, Assignments, Parser, claim, distinct, named, run, within

from .grid import ROOT, TASKS
from .table import rivals_table

if TYPE_CHECKING:
    from mmengine.config import Config
    from torch import Tensor

    from mmtempreg.video import VideoWriter


class ImageNetwork:
    """A checkpoint, frame by frame."""

    def __init__(self, config: Config, checkpoint: str, **options: Any) -> None:
        from mmtempreg.apis import FrameModel

        self.model = FrameModel(config, checkpoint, **options)

    def start(self) -> None:
        """Begins a clip."""

    def __call__(self, frame: Tensor) -> Tensor:
        """(3, H, W) RGB in [0, 1] to RGB in [0, 1], or radiance."""
        return self.model(frame.unsqueeze(0))[0]


class WithBlindConsistency(ImageNetwork):
    """A network, and blind video consistency after it."""

    def __init__(self, config: Config, checkpoint: str, blind: str) -> None:
        from mmengine.config import Config

        from mmtempreg.apis import BlindConsistency

        super().__init__(config, checkpoint)
        self.filter = BlindConsistency(Config.fromfile(ROOT / "configs/blind_consistency/blind_consistency.py"), blind)

    def start(self) -> None:
        self.filter.start()

    def __call__(self, frame: Tensor) -> Tensor:
        from mmtempreg.functional import RADIANCE_STOPS, from_display, to_display

        processed = super().__call__(frame)
        if not self.model.radiance:
            return self.filter(processed.unsqueeze(0), frame.unsqueeze(0))[0]
        display = to_display(processed, RADIANCE_STOPS)
        return from_display(self.filter(display.unsqueeze(0), frame.unsqueeze(0))[0], RADIANCE_STOPS)


class WithPartHeld(ImageNetwork):
    """A network in which one module gives in all frames of a clip what it gives in the first."""

    def __init__(self, config: Config, checkpoint: str, part: str) -> None:
        super().__init__(config, checkpoint)
        self.held: Any = None
        self.model.model.get_submodule(part).register_forward_hook(self._hold)

    def start(self) -> None:
        self.held = None

    def _hold(self, module: Any, inputs: Any, output: Any) -> Any:
        self.held = output if self.held is None else self.held
        return self.held


def metrics_of(task: str, vdp: bool) -> list[Any]:
    """Metrics of the table, in its order."""
    from mmagic.registry import METRICS

    from mmtempreg.meters import DOMAINS
    from mmtempreg.meters.domains import MAX_RADIANCE

    if task == "hdr":
        masked: dict[str, Any] = dict(domain="log", mask="saturated")
        configs = [dict(type="TemporalFlicker", lag=1.0, **masked), dict(type="SaturatedPSNR")]
        display: dict[str, Any] = dict(domain="gamma", white=DOMAINS["gamma"].peak(MAX_RADIANCE))
    else:
        masked, display = dict(domain="ab"), {}
        configs = [dict(type="ClipPSNR", domain="ab", peak=2.0)]
    names = ["TemporalFlicker", "SpatialDetail", "TemporalSmoothness", "TemporalResidual"]
    configs += [dict(type=name, **masked) for name in names]
    configs.insert(-2, dict(type="SequenceMetric", meter="K_true", **masked))
    names = ["TemporalOpticalFlow", *(["VideoVDP"] if vdp else [])]
    configs += [dict(type=name, **display) for name in names]
    return [METRICS.build(config) for config in configs]


def frames_of(task: str, dataset: Any) -> Iterator[tuple[dict, Tensor, Tensor]]:
    """Yields a dataset's facts of each frame, the input in RGB [0, 1], and the truth in BGR (0 to 255, or radiance)."""
    import torch

    from mmtempreg.functional import lab_to_rgb, rgb_to_lab

    for index in range(len(dataset)):
        item = dataset[index]
        sample = item["data_samples"]
        image = item["inputs"].float() / 255
        if task == "color":  # grey goes in
            lab = rgb_to_lab(image)
            image = lab_to_rgb(torch.cat([lab[:1], torch.zeros_like(lab[1:])])).clamp(0, 1)
        truth = sample.gt_img.float().flip(0)  # RGB to BGR
        keys = ("clip", "frame", "num_frames", "fps", "motion")
        about = {key: sample.get(key) for key in keys if key in sample}
        yield about, image, truth


WELL_EXPOSED = (0.2, 0.9)
"""Display values of pixels, in all channels, by which --fit finds the scale."""


def predictions(
    task: str, network: ImageNetwork, dataset: Any, fit: str | None = None
) -> Iterator[tuple[dict, Tensor, Tensor]]:
    """Yields what `frames_of` does, with the prediction in RGB for the input; on the truth's scale by `fit`."""
    held: list[tuple[dict, Tensor, Tensor, Tensor]] = []
    for about, image, truth in frames_of(task, dataset):
        if about["frame"] == 0:
            network.start()
        held.append((about, network(image), truth, image))
        if fit != "clip" or about["frame"] + 1 == about["num_frames"]:
            scale = _scale(held) if fit else 1.0
            yield from ((about, prediction * scale, truth) for about, prediction, truth, _ in held)
            held = []


def _scale(frames: Sequence[tuple[dict, Tensor, Tensor, Tensor]]) -> float:
    """By which the predictions of some frames are brought to the truth."""
    import torch

    ratios = []
    for _, prediction, truth, image in frames:
        exposed = ((image > WELL_EXPOSED[0]) & (image < WELL_EXPOSED[1])).all(dim=0)
        ratios.append((truth.flip(0) / prediction.clamp(min=1e-8))[:, exposed].flatten())
    return float(torch.cat(ratios).median())


def run_and_measure(
    task: str,
    network: ImageNetwork,
    dataset: Any,
    vdp: bool,
    watch: Callable[[dict, Tensor], None],
    fit: str | None = None,
) -> dict[str, float]:
    """The metrics of a network; `watch` sees each prediction in RGB."""
    from tqdm import tqdm

    from mmtempreg.functional import rgb_to_lab

    metrics, count, chroma = metrics_of(task, vdp), 0, 0.0
    frames = predictions(task, network, dataset, fit)
    for about, prediction, truth in tqdm(frames, total=len(dataset), unit="frame", leave=False):
        count += 1
        watch(about, prediction)
        chroma += 0.0 if task == "hdr" else float(rgb_to_lab(prediction)[1:].norm(dim=0).mean())
        output = dict(pred_img=prediction.flip(0) * (255 if task == "color" else 1))
        for metric in metrics:
            metric.process(None, [dict(about, gt_img=truth, output=output)])
    values = {name: value for metric in metrics for name, value in metric.evaluate().items()}
    return {**values, **(dict(chroma=chroma / count) if chroma else {})}


def frames_per_second(
    task: str, networks: Mapping[str, ImageNetwork], dataset: Any, num_frames: int = 50
) -> dict[str, float]:
    """The rate of each network, of the fastest of the first frames, as `timeit` advises; all side by side."""
    seconds: dict[str, list[float]] = {name: [] for name in networks}
    for about, image, _ in islice(frames_of(task, dataset), num_frames):
        for name, network in networks.items():
            if about["frame"] == 0:
                network.start()
            start = time.perf_counter()
            network(image)
            if about["frame"] > 0:  # a filter has nothing to do in a clip's first
                seconds[name].append(time.perf_counter() - start)
    return {name: 1 / min(times) for name, times in seconds.items()}


class _Videos:
    """Writes predictions as a video for each clip."""

    def __init__(self, folder: Path | None, radiance: bool) -> None:
        self.folder, self.radiance = folder, radiance
        self.writer: VideoWriter | None = None

    def __call__(self, about: dict, prediction: Tensor) -> None:
        from mmtempreg.functional import to_display, to_pixels
        from mmtempreg.video import Frame, VideoWriter

        if self.folder is None:
            return
        rate = Fraction(about["fps"]).limit_denominator(1001)
        if about["frame"] == 0:
            self.writer = VideoWriter(self.folder / f"{about['clip']}.mp4", rate).__enter__()
        assert self.writer is not None
        pixels = to_pixels(to_display(prediction, -2) if self.radiance else prediction)
        self.writer.write(Frame(pixels, about["frame"] / rate))
        if about["frame"] + 1 == about["num_frames"]:
            self.writer.__exit__(None, None, None)


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("checkpoints", nargs="+", type=named, metavar="NAME=CHECKPOINT")
    parser.add_argument("--config", type=Path, help="of the networks and the clips (default: the task's test config)")
    parser.add_argument("--fit", choices=("clip", "frame"), help="bring relative radiance to the truth's scale")
    parser.add_argument("--hold", metavar="MODULE", help="such as generator.glob_net")
    parser.add_argument("--tile", type=WHOLE, help="edge of tiles in pixels")
    parser.add_argument("--blind", metavar="CHECKPOINT", help="of configs/blind_consistency")
    parser.add_argument("--shifts", type=within("[2, 16]", int), help="of the mean over shifts of the first checkpoint")
    parser.add_argument("--vdp", action="store_true", help="ColorVideoVDP too (slow)")
    parser.add_argument("--out", type=Path, help="write the values")
    parser.add_argument("--videos", type=Path, help="write the clips")
    parser.add_argument("--cfg-options", nargs="+", action=Assignments, default=())
    run(parser, compare)


def compare(args: argparse.Namespace) -> None:
    """Runs and measures all of them."""
    from mmagic.registry import DATASETS
    from mmengine.config import Config
    from mmengine.registry import init_default_scope

    from mmtempreg.openmmlab.configs import read_options

    config = Config.fromfile(args.config or ROOT / "configs" / "tempreg" / f"{TASKS[args.task].test_config}.py")
    config.merge_from_dict(read_options(args.cfg_options))
    init_default_scope("mmagic")
    loaders = config.test_dataloader
    dataset = DATASETS.build((loaders[-1] if isinstance(loaders, list) else loaders).dataset)
    checkpoints = distinct(args.checkpoints)
    claim(args.out, inputs=[args.blind, *checkpoints.values()], overwrite=args.overwrite)
    networks: dict[str, ImageNetwork] = {}
    for number, (name, path) in enumerate(checkpoints.items()):
        networks[name] = ImageNetwork(config, path)
        if number == 0 and args.blind:
            networks[f"{name} + blind consistency"] = WithBlindConsistency(config, path, args.blind)
        if number == 0 and args.shifts:
            networks[f"{name}, mean of {args.shifts} shifts"] = ImageNetwork(config, path, shifts=args.shifts)
        if number == 0 and args.hold:
            networks[f"{name}, {args.hold.rpartition('.')[2]} held"] = WithPartHeld(config, path, args.hold)
        if number == 0 and args.tile:
            networks[f"{name}, tiles of {args.tile}"] = ImageNetwork(config, path, tile=args.tile, tile_overlap=16)
    rows = {}
    for name, network in networks.items():
        folder = args.videos / name.replace(" ", "_") if args.videos else None
        videos = _Videos(folder, args.task == "hdr")
        rows[name] = run_and_measure(args.task, network, dataset, args.vdp, videos, args.fit)
    for name, value in frames_per_second(args.task, networks, dataset).items():
        rows[name]["frames_per_second"] = value
    print(rivals_table(rows))
    if args.out:
        with replace_when_written(args.out) as partial:
            partial.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
