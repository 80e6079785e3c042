"""A small training that is killed at random moments and resumed, and what it is compared with.

Super-resolution of photographs with random crops and flips, a network with dropout, Adam, a schedule of the learning
rate, MMEngine's averaged weights (EMAHook), a checkpoint every second step of which one is kept.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from torch import nn

import mmtempreg  # noqa: F401, before MMagic is imported
from testing.processes import free_port

STEPS_PER_EPOCH = 4
EPOCHS = 6


@dataclass
class Outcome:
    """Outcome of a run that was killed.

    Attributes:
        kills: How often it was killed.
        in_a_write: How often of these a half-written file was left behind.
        differences: What differs from the run that was left alone; empty if nothing does.
    """

    kills: int
    in_a_write: int
    differences: list[str]


class DropoutSRNet(nn.Module):
    """A network with its own randomness, and a checkpoint of some size (3 MB), so that kills meet its writing."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.Dropout2d(0.1)),
            *(nn.Conv2d(64, 384, 3, padding=1), nn.ReLU(), nn.Conv2d(384, 12, 3, padding=1), nn.PixelShuffle(2)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


def run_config(images: Path, work_dir: Path, loop: str, workers: int) -> Config:
    """The training to be killed."""
    pipeline = [
        *(dict(type="LoadImageFromFile", key=key, channel_order="rgb") for key in ("img", "gt")),
        dict(type="SetValues", dictionary=dict(scale=2)),
        dict(type="PairedRandomCrop", gt_patch_size=32),
        dict(type="Flip", keys=["img", "gt"], flip_ratio=0.5, direction="horizontal"),
        dict(type="PackInputs"),
    ]
    by_epoch = loop == "epoch"
    steps = STEPS_PER_EPOCH * EPOCHS
    schedule = dict(type="EpochBasedTrainLoop", max_epochs=EPOCHS) if by_epoch else dict(max_iters=steps)
    return Config(
        dict(
            default_scope="mmagic",
            model=dict(
                type="SiameseEditModel",
                model=dict(
                    type="BaseEditModel",
                    generator=dict(type="DropoutSRNet"),
                    pixel_loss=dict(type="L1Loss"),
                    data_preprocessor=dict(type="DataPreprocessor", mean=[0.0] * 3, std=[255.0] * 3),
                ),
                transform=dict(type="RandomAffine"),
                regularization=dict(type="TransformInvarianceLoss"),
            ),
            train_dataloader=dict(
                batch_size=2,
                num_workers=workers,
                persistent_workers=by_epoch and workers > 0,
                sampler=dict(type="DefaultSampler" if by_epoch else "InfiniteSampler", shuffle=True),
                dataset=dict(
                    type="BasicImageDataset",
                    data_root=str(images),
                    data_prefix=dict(img="input_x2", gt="gt"),
                    pipeline=pipeline,
                ),
            ),
            train_cfg=dict(type="IterBasedTrainLoop") | schedule,
            optim_wrapper=dict(type="OptimWrapper", optimizer=dict(type="Adam", lr=1e-3)),
            param_scheduler=[
                dict(type="CosineAnnealingLR", by_epoch=False, T_max=steps),
                dict(type="StepLR", by_epoch=by_epoch, step_size=2 if by_epoch else 7),
            ],
            default_hooks=dict(
                logger=dict(type="LoggerHook", interval=1),
                checkpoint=dict(type="SafeCheckpointHook", interval=2, by_epoch=False, max_keep_ckpts=1),
            ),
            custom_hooks=[dict(type="ExactResumeHook"), dict(type="EMAHook", momentum=0.05)],
            visualizer=dict(type="Visualizer", vis_backends=[]),
            model_wrapper_cfg=dict(type="MMDistributedDataParallel", device_ids=None, broadcast_buffers=False),
            work_dir=str(work_dir),
            experiment_name="killed",
            log_level="ERROR",
            resume=True,
            launcher="none",
        )
    )


def start(config: Config, processes: int = 1, first: Callable[[], None] | None = None) -> int:
    """Trains in a child process, which leads a process group with its workers and other ranks; gives its id.

    The child is a fork: importing MMagic takes longer than the whole training. It calls `first` before it trains.
    """
    child = os.fork()
    if child:
        return child
    code, work_dir = 1, Path(config.work_dir)
    try:
        os.setpgid(0, 0)
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115, the process ends with it
        rank, others = 0, []
        if processes > 1:
            os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free_port()), WORLD_SIZE=str(processes))
            for other in range(1, processes):
                pid = os.fork()
                if not pid:
                    rank, others = other, []
                    break
                others.append(pid)
            os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
            torch.distributed.init_process_group("gloo")
            config.launcher = "pytorch"
        from mmengine.runner import Runner

        torch.set_num_threads(1)
        if first is not None:
            first()
        Runner.from_cfg(config).train()
        code = max((os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in others), default=0)
    except BaseException:
        (work_dir / "error.txt").write_text(traceback.format_exc())
    finally:
        os._exit(code)


def wait(child: int, seconds: float) -> bool:
    """Waits for the child: True if it is done within the time; raises if it failed."""
    end = time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            if os.waitstatus_to_exitcode(status) != 0:
                raise RuntimeError("the training failed")
            return True
        if time.monotonic() >= end:
            return False
        time.sleep(0.002)


def kill(child: int) -> None:
    """SIGKILL to the child and its workers."""
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)


def final_state(work_dir: Path) -> dict[str, Any]:
    """State of the training in the last checkpoint."""
    path = Path((work_dir / "last_checkpoint").read_text())
    checkpoint = CheckpointLoader.load_checkpoint(str(path), map_location="cpu")
    kept = sorted(p.name for p in work_dir.glob("*.pth"))
    state = {name: checkpoint[name] for name in ("state_dict", "ema_state_dict", "optimizer", "param_schedulers")}
    return {**state, "iteration": checkpoint["meta"]["iter"], "files": kept}


def differences(a: Any, b: Any, where: str = "") -> Iterator[str]:
    """Names all that is not equal to the bit."""
    if isinstance(a, torch.Tensor):
        if not torch.equal(a, b):
            yield where
    elif isinstance(a, dict):
        if list(a) != list(b):
            yield f"{where}: {list(a)} and {list(b)}"
        else:
            for key in a:
                yield from differences(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, (list, tuple)) and len(a) == len(b):
        for k, (x, y) in enumerate(zip(a, b)):
            yield from differences(x, y, f"{where}[{k}]")
    elif a != b:
        yield f"{where}: {a} and {b}"


def run_with_kills(
    config: Config, alone: Path, rng: random.Random, seconds: float, most: int, processes: int = 1
) -> Outcome:
    """Trains, killed at random moments of the first `seconds` each time, at most `most` times.

    `alone` is the work directory of the run that was left alone.
    """
    work_dir = Path(config.work_dir)
    shutil.rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir(parents=True)
    kills = in_a_write = 0
    while True:
        child = start(config, processes)
        try:
            if wait(child, rng.uniform(0, seconds) if kills < most else 600):
                break
        except RuntimeError as error:
            raise RuntimeError((work_dir / "error.txt").read_text()) from error
        kill(child)
        kills += 1
        in_a_write += any(work_dir.glob(".partial_*"))
    return Outcome(kills, in_a_write, list(differences(final_state(alone), final_state(work_dir))))


def run_alone(config: Config, processes: int = 1) -> float:
    """Trains without interruption; gives the seconds it took."""
    Path(config.work_dir).mkdir(parents=True)
    begin = time.monotonic()
    if not wait(start(config, processes), 600):
        raise TimeoutError("the uninterrupted training took more than ten minutes")
    return time.monotonic() - begin


def prepare() -> None:
    """Imports what the children need, without starting threads in this process, which they could not use."""
    from mmagic.registry import MODELS
    from mmengine.registry import init_default_scope

    init_default_scope("mmagic")
    torch.set_num_threads(1)
    if "DropoutSRNet" not in MODELS.module_dict:
        MODELS.register_module(module=DropoutSRNet)
    MODELS.get("SiameseEditModel")
