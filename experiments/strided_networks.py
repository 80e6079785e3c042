"""Do stock networks with strides flicker less when these are anti-aliased? Small ones, trained here, on real clips.

Usage: python -m experiments.strided_networks {nafnet,pix2pix,deblurganv2} --photographs FOLDER
       --videos FILE [FILE ...] [--iterations 1500] [--fine-tuning 300] [--seeds 0 1] [--num-frames 30]
       [--work-dir DIR] [--out FILE.json] [--picture FILE.png CLIP ...] [--vdp]

A small NAFNet denoises (noise of 25 levels), Pix2Pix colours, DeblurGANv2's generator sharpens (a Gaussian blur of 1.6
pixels). Each is trained from scratch on the photographs, and measured on the middle of each video as it came,
anti-aliased without any training, then tuned to the frozen original (whole-pixel shifts), then regularised too: the
recipe of configs/tempreg/*_steady_a0.95.py. The measures are those of real_models.py. What is done already is not done
again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmtempreg.utils.atomic_write import replace_when_written
from mmtempreg.utils.command_line import COUNT, WHOLE, Parser, claim, claim_work_dir, run, within

from .real_models import RATE, clip_frames, draw, measured, run_network
from .sweep import run_tool
from .table import real_models_table

if TYPE_CHECKING:
    import numpy as np
    from mmengine.config import Config


CROP = 64


@dataclass(frozen=True)
class Task:
    """A network and what it is for.

    Attributes:
        model: Config of the stock model.
        steps: Of the pipeline, after the crop: how the input is made.
        degrade: The same of a frame (H, W, 3) uint8 RGB, with its number.
        transform: T.
        distance: In which predictions are compared, as the network's own loss.
        optim: Of the config: an optimiser with a learning rate, or one for each network.
    """

    model: dict[str, Any]
    steps: tuple[dict[str, Any], ...]
    degrade: Callable[[np.ndarray, int], np.ndarray]
    transform: dict[str, Any]
    distance: dict[str, Any]
    optim: Callable[[float], dict[str, Any]]


def _noisy(frame: np.ndarray, number: int) -> np.ndarray:
    import numpy as np

    noise = np.random.default_rng(number).normal(0, 25, frame.shape)
    return np.clip(np.rint(frame + noise), 0, 255).astype(np.uint8)


def _blurred(frame: np.ndarray, number: int) -> np.ndarray:
    import cv2

    return cv2.GaussianBlur(frame, (9, 9), 1.6, borderType=cv2.BORDER_REFLECT_101)


def _grey(frame: np.ndarray, number: int) -> np.ndarray:
    import cv2
    import numpy as np

    return np.repeat(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=-1)


def _one(rate: float) -> dict[str, Any]:
    return dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=rate, betas=(0.9, 0.99)))


def _both(rate: float) -> dict[str, Any]:
    adam = dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=rate, betas=(0.5, 0.999)))
    return dict(constructor="MultiOptimWrapperConstructor", generators=adam, discriminators=adam)


_SHIFT = dict(
    type="Compose",
    transforms=[dict(type="RandomShift", max_shift=8), dict(type="RandomGaussianNoise", sigma=(0, 0.02))],
)
_RGB = dict(output_channel_order="RGB")
_CROPPED = (
    dict(type="FixedCrop", keys=["img", "gt"], crop_size=(CROP, CROP)),
    dict(type="Flip", keys=["img", "gt"], flip_ratio=0.5, direction="horizontal"),
)

TASKS = {
    "nafnet": Task(
        dict(
            type="BaseEditModel",
            generator=dict(
                type="NAFNet", mid_channels=16, enc_blk_nums=[1, 1, 2], middle_blk_num=1, dec_blk_nums=[1, 1, 1]
            ),
            pixel_loss=dict(type="L1Loss"),
            data_preprocessor=dict(type="DataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3, **_RGB),
        ),
        (
            # its noise is of each photograph's own: T comes with the batch
            dict(type="PhotographTwice", crop_size=CROP, scale=1, zoom_out=1.0, noise=50.0, jpeg_quality=None),
            dict(type="PackInputs", data_keys=["moved_img"], meta_keys=["moved_by", "moved_img_channel_order"]),
        ),
        _noisy,
        dict(type="GivenShift", margin=0.0),
        dict(type="L1Loss"),
        _one,
    ),
    "pix2pix": Task(
        dict(
            type="Pix2Pix",
            generator=dict(type="UnetGenerator", in_channels=3, out_channels=3, num_down=6, base_channels=32),
            discriminator=dict(type="PatchDiscriminator", in_channels=6, base_channels=32, num_conv=3),
            loss_config=dict(pixel_loss_weight=100.0),
            default_domain="photo",
            reachable_domains=["photo"],
            related_domains=["photo", "grey"],
            data_preprocessor=dict(type="DataPreprocessor", data_keys=["img_photo", "img_grey"], **_RGB),
        ),
        (
            *_CROPPED,
            dict(type="Albumentations", keys=["img"], transforms=[dict(type="ToGray", p=1.0)]),
            dict(type="CopyValues", src_keys=["gt", "img"], dst_keys=["img_photo", "img_grey"]),
            dict(
                type="CopyValues",
                src_keys=["gt_channel_order"] * 2,
                dst_keys=["img_photo_channel_order", "img_grey_channel_order"],
            ),
            dict(type="PackInputs", keys=["img_photo", "img_grey"], data_keys=["img_photo", "img_grey"]),
        ),
        _grey,
        _SHIFT,
        dict(type="L1Loss", loss_weight=100.0),
        _both,
    ),
    "deblurganv2": Task(
        dict(
            # its generator alone: the loss of the whole reaches into a VGG19 that MMagic would download
            type="BaseEditModel",
            generator=dict(
                type="DeblurGanV2Generator",
                backbone="FPNMobileNet",
                norm_layer="instance",
                output_ch=3,
                num_filter=32,
                num_filter_fpn=64,
            ),
            pixel_loss=dict(type="L1Loss"),
            data_preprocessor=dict(type="DataPreprocessor", mean=[127.5] * 3, std=[127.5] * 3, **_RGB),
        ),
        (
            *_CROPPED,
            dict(
                type="Albumentations",
                keys=["img"],
                transforms=[dict(type="GaussianBlur", blur_limit=(9, 9), sigma_limit=(1.6, 1.6), p=1.0)],
            ),
            dict(type="PackInputs"),
        ),
        _blurred,
        _SHIFT,
        dict(type="L1Loss"),
        _one,
    ),
}


def config_of(task: Task, photographs: Path, iterations: int, rate: float, seed: int, model: dict[str, Any]) -> Config:
    """A training of so many iterations, the rate falling to a twentieth."""
    from mmengine.config import Config

    hooks = ("StrictLoad", "ExactResume", "FiniteLoss", "NormEval")
    fine_tuned = "teacher" in model
    parts = dict(parts=["generators" if "generators" in str(task.optim(0)) else "generator"])
    return Config(
        dict(
            custom_imports=dict(imports=["mmtempreg"], allow_failed_imports=False),
            default_scope="mmagic",
            model=model,
            train_dataloader=dict(
                batch_size=4,
                num_workers=0,
                drop_last=True,
                sampler=dict(type="InfiniteSampler", shuffle=True),
                dataset=dict(type="PhotographDataset", data_root=str(photographs.resolve()), pipeline=list(task.steps)),
            ),
            train_cfg=dict(type="IterBasedTrainLoop", max_iters=iterations),
            optim_wrapper=task.optim(rate),
            param_scheduler=dict(type="LinearLR", start_factor=1.0, end_factor=0.05, end=iterations, by_epoch=False),
            default_hooks=dict(
                logger=dict(type="LoggerHook", interval=50),
                param_scheduler=dict(type="ParamSchedulerHook"),
                checkpoint=dict(type="SafeCheckpointHook", interval=iterations, by_epoch=False),
            ),
            custom_hooks=[
                dict(type=f"{name}Hook", **(parts if name == "StrictLoad" else {}))
                for name in (hooks if fine_tuned else hooks[1:3])
            ],
            log_processor=dict(type="LogProcessor", window_size=50, by_epoch=False),
            randomness=dict(seed=seed),
        )
    )


def fine_tuned_model(task: Task, start: Path, regularized: bool) -> dict[str, Any]:
    """Anti-aliased, tuned to the frozen original, and regularised if wanted."""
    about: dict[str, Any] = dict(target="teacher", teacher=str(start), teacher_shift=8)
    if regularized:
        about |= dict(
            transform=task.transform,
            regularization=dict(type="TransformInvarianceLoss", distance=task.distance),
            alpha=0.8,
        )
    return dict(type="SiameseEditModel", model=dict(type="AntiAliasedModel", model=task.model), **about)


def trained(folder: Path, config: Config, load_from: Path | None = None) -> Path:
    """The checkpoint of a training, which is done if it is not yet."""
    checkpoint = folder / f"iter_{config.train_cfg.max_iters}.pth"
    if not checkpoint.exists():
        folder.mkdir(parents=True, exist_ok=True)
        if load_from is not None:
            config.load_from = str(load_from)
        config.dump(folder / "config.py")
        run_tool(
            folder / "train.log", "tools/train.py", str(folder / "config.py"), "--work-dir", str(folder), "--resume"
        )
    return checkpoint


def networks(args: argparse.Namespace, task: Task, folder: Path) -> Iterator[tuple[str, Path, bool]]:
    """Name, checkpoint and whether its strides are anti-aliased, of all that is compared."""
    stock = dict(type="SiameseEditModel", model=task.model)  # trains as the stock model does; Pix2Pix' own fails
    start = trained(folder / "start", config_of(task, args.photographs, args.iterations, 3e-4, 0, stock)).resolve()
    yield "as it came", start, False
    yield "anti-aliased, nothing trained", start, True
    for seed in args.seeds:
        for name, regularized in (("to the frozen original", False), ("regularised", True)):
            model = fine_tuned_model(task, start, regularized)
            if regularized:
                model["seed"] = seed
            config = config_of(task, args.photographs, args.fine_tuning, 1e-4, seed, model)
            title = f"anti-aliased, {name}{f', seed {seed}' if seed else ''}"
            yield title, trained(folder / title.replace(", ", "_").replace(" ", "_"), config, start), True


def write_clip(folder: Path, frames: Sequence[np.ndarray], degrade: Callable[[np.ndarray, int], np.ndarray]) -> None:
    """The truth and the network's input of a clip, as folders of frames."""
    import numpy as np

    from mmtempreg.video import Frame, FrameFolderWriter

    for kind in ("input", "truth"):
        with FrameFolderWriter(folder / kind, overwrite=True, keep=False) as writer:
            for number, frame in enumerate(frames):
                shown = frame if kind == "truth" else degrade(frame, number)
                writer.write(Frame(np.ascontiguousarray(shown), Fraction(number, RATE)))


def main() -> None:
    parser = Parser(__doc__, overwrite=True)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--videos", type=Path, nargs="+", required=True)
    parser.add_argument("--iterations", type=WHOLE, default=1500)
    parser.add_argument("--fine-tuning", type=WHOLE, default=300)
    parser.add_argument("--seeds", type=COUNT, nargs="+", default=[0, 1])
    parser.add_argument("--num-frames", type=within("[2, 1e6]", int), default=30, help="more than a second of them")
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs/strided_networks"))
    parser.add_argument("--out", type=Path, help="write the values of every clip")
    parser.add_argument("--picture", nargs="+", metavar="FILE CLIP", help="draw these clips (names without ending)")
    parser.add_argument("--vdp", action="store_true", help="ColorVideoVDP too (slow)")
    run(parser, measure)


def measure(args: argparse.Namespace) -> None:
    """Trains, makes the clips, runs the networks and measures."""
    import torch
    from mmengine.config import Config
    from tqdm import tqdm

    from mmtempreg.apis import FrameModel

    torch.set_num_threads(1)
    task, folder = TASKS[args.task], args.work_dir / args.task
    read = [args.photographs, *args.videos]
    claim(args.out, args.picture and args.picture[0], inputs=read, overwrite=args.overwrite)
    claim_work_dir(folder)
    clips = {path.stem: folder / "clips" / path.stem for path in args.videos}
    for path in args.videos:
        if not (clips[path.stem] / "truth").exists():
            write_clip(clips[path.stem], list(clip_frames(path, args.num_frames)), task.degrade)
    names = []
    for name, checkpoint, anti_aliased in networks(args, task, folder):
        names.append(name)
        model = None
        for clip in tqdm(clips.values(), desc=name, unit="clip"):
            if not (clip / name).exists():
                config = dict(type="AntiAliasedModel", model=task.model) if anti_aliased else task.model
                model = model or FrameModel(Config(dict(model=config)), str(checkpoint))
                run_network(model, clip, name)
    values: dict[str, Any] = dict(networks=names, num_frames=args.num_frames, videos={}, pans={})
    for name, clip in tqdm(clips.items(), desc="measuring", unit="clip"):
        values["videos"][name] = measured(clip, names, args.vdp)
    print(real_models_table(values, "videos"))
    if args.out:
        with replace_when_written(args.out) as partial:
            partial.write_text(json.dumps(values, indent=2))
    if args.picture:
        draw([clips[name] for name in args.picture[1:]], names, Path(args.picture[0]))


if __name__ == "__main__":
    main()
