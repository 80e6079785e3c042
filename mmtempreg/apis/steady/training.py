"""The fine-tuning itself: MMEngine's runner, for as long as there is time."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor
from tqdm import tqdm

from ...engine import FastestStepHook, SafeCheckpointHook
from ...openmmlab.checkpoints import (
    ANTI_ALIASING,
    anti_aliasing_in,
    anti_aliasing_of,
    read_checkpoint,
    weights_hash,
    weights_of,
    with_metadata,
)
from ...openmmlab.configs import config_hash
from ...openmmlab.runners import quiet_runner
from ...utils.atomic_write import replace_when_written, write_json
from .network import Network
from .recipe import Recipe, training_config

FEWEST, MOST = 20, 20000
"""Iterations that a time comes to at least and at most."""

PROBED = 6
"""Iterations that tell how long one takes; in the first of them options are tried."""


@dataclass(frozen=True)
class Length:
    """Length of a training.

    Attributes:
        iterations: So many; None: what the time allows.
        until: When it should be done, as of `time.monotonic`.
        latest: When it is stopped, where the time counts: a machine may get slower on the way.
    """

    iterations: int | None
    until: float = math.inf
    latest: float = math.inf


@dataclass(frozen=True)
class Trained:
    """What a training made.

    Attributes:
        weights: By the network's own keys.
        iterations: How many they have.
        planned: How many there were to be.
        strides: What a state dict has to tell of them (`checkpoints.ANTI_ALIASING`), by module.
    """

    weights: dict[str, Tensor]
    iterations: int
    planned: int
    strides: dict[str, Any] | None


class _TimeIsUp(Exception):
    """The training took longer than was planned."""


class Progress(Hook):
    """Shows how far a training is, and stops it when its time is up.

    Args:
        title: Stands before the bar.
        latest: When it is stopped, as of `time.monotonic`.
    """

    def __init__(self, title: str = "fine-tuning", latest: float = math.inf) -> None:
        self.title, self.latest = title, latest

    def before_train(self, runner: Runner) -> None:
        self.bar = tqdm(total=runner.max_iters, initial=runner.iter, unit="it", desc=self.title)

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        self.bar.update()
        if time.monotonic() > self.latest and runner.iter + 1 < runner.max_iters:
            raise _TimeIsUp

    def after_train(self, runner: Runner) -> None:
        self.bar.close()


class _Stopwatch(Hook):
    """Seconds of each iteration."""

    def before_train(self, runner: Runner) -> None:
        self.laps: list[float] = []
        self.last = time.perf_counter()

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        now = time.perf_counter()
        self.laps.append(now - self.last)
        self.last = now


def train(
    network: Network,
    recipe: Recipe,
    photographs: tuple[Path, Sequence[Path]],
    *,
    folder: Path,
    length: Length,
    report: Callable[[str], None],
    processes: int = 1,
) -> Trained:
    """Fine-tunes a network; a run that was begun in the folder with the same config goes on.

    Args:
        network: As it came.
        recipe: How.
        photographs: The folder, and those in it that are trained on.
        folder: The work directory.
        length: How long.
        report: Is told what is going on.
        processes: How many train together, each with a batch of its own: one for each GPU.
    """
    # in folders of its own: what else lies in the work directory is none of ours
    start, folder = folder / "start", folder / "training"
    folder.mkdir(parents=True, exist_ok=True)
    images = photographs[0]
    teacher, listed = write_start(network, photographs, start)
    make = partial(
        training_config, network, recipe, images.resolve(), listed=listed.resolve(), teacher=teacher.resolve()
    )
    held = hashlib.sha256(listed.read_bytes() + weights_hash(network.form.weights()).encode()).hexdigest()
    iterations, options = _planned(make, held, folder, length, report)
    config = make(iterations=iterations, options=options)
    with replace_when_written(folder.parent / "config.py") as partly:
        config.dump(partly)
    if processes > 1:
        return _train_in(processes, network, folder, iterations, report)
    runner = quiet_runner(config, folder, resume=True)
    runner.register_hook(Progress(latest=math.inf if length.iterations else length.latest))
    try:
        runner.train()
    except (KeyboardInterrupt, _TimeIsUp) as stop:
        why = "time is up" if isinstance(stop, _TimeIsUp) else "stopped"
        report(f"{why} after {runner.iter} of {iterations} iterations: what there is is measured")
        with suppress(Exception):  # a step that was cut in its middle
            next(hook for hook in runner.hooks if isinstance(hook, SafeCheckpointHook)).save_now(runner)
        with suppress(Exception):
            runner.call_hook("after_train")  # lets go of what hooks hold
    model: Any = runner.model.module if hasattr(runner.model, "module") else runner.model
    told = anti_aliasing_in(model)
    return Trained(network.weights(model), runner.iter, iterations, {"": {ANTI_ALIASING: told}} if told else None)


def _train_in(
    processes: int, network: Network, folder: Path, iterations: int, report: Callable[[str], None]
) -> Trained:
    """`train` in several processes, one for each GPU, as tools/dist_train.sh does it."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
    command += [f"{__package__}.train_process", str(folder.parent / "config.py"), "--work-dir", str(folder)]
    try:
        done = subprocess.run([*command, "--launcher", "pytorch", "--resume"]).returncode
    except KeyboardInterrupt:
        done = 0
    last = folder / "last_checkpoint"
    if done or not last.is_file():
        raise RuntimeError(f"the training in {processes} processes ended without a checkpoint: see above")
    path = Path(os.fsdecode(last.read_bytes()))
    checkpoint = read_checkpoint(path)
    weights, iteration = weights_of(checkpoint, path), int(checkpoint["meta"]["iter"])
    if iteration < iterations:
        report(f"stopped after {iteration} of {iterations} iterations: what there is is measured")
    told = anti_aliasing_of(checkpoint)
    own = {key: weights[network.prefix + key].clone() for key in network.form.keys}
    return Trained(own, iteration, iterations, {"": {ANTI_ALIASING: told}} if told else None)


def write_start(network: Network, photographs: tuple[Path, Sequence[Path]], folder: Path) -> tuple[Path, Path]:
    """Writes what a training begins with: the weights, with the keys of MMagic's model, and the list of images.

    Args:
        network: As it came.
        photographs: The folder, and those in it that are trained on.
        folder: Where they are written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images, files = photographs
    teacher, listed = folder / "before.pth", folder / "images.txt"
    with replace_when_written(teacher) as partly:
        state = {f"{network.prefix}{key}": value for key, value in network.form.weights().items()}
        told = {network.prefix.rstrip("."): {ANTI_ALIASING: network.strides}} if network.strides else {}
        torch.save(dict(meta={}, state_dict=with_metadata(state, told)), partly)
    with replace_when_written(listed) as partly:
        partly.write_bytes(b"".join(os.fsencode(path.relative_to(images)) + b"\n" for path in files))
    return teacher, listed


def _planned(
    make: Callable[..., Config], held: str, folder: Path, length: Length, report: Callable[[str], None]
) -> tuple[int, list[str]]:
    """Iterations, and what makes a step fast: as they were planned in this folder, or by what a step takes here."""
    plan, key = folder / "plan.json", f"{config_hash(make(iterations=0))} {held}"
    known = json.loads(plan.read_text()) if plan.exists() else {}
    if known.get("config") == key and "options" in known and length.iterations in (None, known["iterations"]):
        report(f"goes on in {folder}: {known['iterations']} iterations in all")
        return known["iterations"], known["options"]
    for left in (*folder.glob("iter_*.pth"), folder / "last_checkpoint"):  # of another training
        left.unlink(missing_ok=True)
    seconds, options = _probed(make(iterations=PROBED, options=["bfloat16"]), folder, report)
    iterations = length.iterations or int(min(max((length.until - time.monotonic()) / seconds, FEWEST), MOST))
    write_json(plan, dict(config=key, iterations=iterations, options=options))
    report(f"{iterations} iterations, {seconds:.2f} s each")
    return iterations, options


def _probed(config: Config, folder: Path, report: Callable[[str], None]) -> tuple[float, list[str]]:
    """Seconds of an iteration on this machine, and the options that make it so short: those that pay."""
    probe, watch, fastest = folder / "probe", _Stopwatch(), FastestStepHook()
    config.default_hooks.checkpoint.update(interval=1000, save_last=False)
    runner = quiet_runner(config, probe)
    for hook in (watch, fastest):
        runner.register_hook(hook)
    runner.train()
    shutil.rmtree(probe, ignore_errors=True)
    report(f"a step here: {fastest.found}")
    return statistics.median(watch.laps[1:]), fastest.taken or []
