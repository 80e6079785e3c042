"""One call: a network, its weights and photographs in; the same network out, steady."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...meters import flicker_ratio, flickers_less
from ...utils.atomic_write import write_json
from ...video.image_files import HDR_SUFFIXES
from ..blend import blend_weights
from ..equivariance import find_images, measure_image_equivariance, read_display
from ..flicker_causes import FlickerCauses, find_flicker_causes, smallest_crop
from ..frame_model import FrameModel
from .network import CROPS, read_network, smallest_edge
from .pictures import Camera, MovingPicture, camera_of, moving_pictures, stills
from .quality import INVENTS, Quality, QualityMeter, amplified_noise
from .recipe import SENSOR_NOISE, SHIFT, recipe_for
from .training import Length, train

TRIES, MORE_TRIES = 5, 2
"""Strengths that are measured: the strongest that can be afforded is found by halving; more, before there is none."""

MIN_DETAIL = {False: 0.9, True: 0.8}
"""What must be kept of the detail; of one that a network invents, which is a part of what flickers, less."""

SCARCE = 0.1
"""Less of the scene's detail than this is by chance: a network that colours, or enlarges fourfold, has hardly any."""

AS_STEADY = 1.05
"""F up to which a network is taken as steady: it changes no more along the motion than the scene does."""

MOST_CLIPS = 12
FEWEST_IMAGES = 10


@dataclass
class Clip:
    """A clip before and after.

    Attributes:
        picture: The moving photograph.
        before, after: (T, 3, H, W) RGB: display values or radiance.
        domain: Name of what they are compared in (`meters.DOMAINS`).
    """

    picture: MovingPicture
    before: Tensor
    after: Tensor
    domain: str


@dataclass(kw_only=True)
class Steady:
    """Result of `make_steady`.

    Attributes:
        out: The checkpoint that was written; None: nothing improved, and there is none.
        strength: Of the blend between the network as it came and the fine-tuned one.
        before, after: Of the network as it came, and of what was chosen.
        tried: Strength -> quality.
        equivariance: EQ in dB before and after.
        ratio: How many times as much it flickers as before.
        invents: Whether it was taken as a network that invents detail.
        iterations: Of the fine-tuning, that were done.
        planned: So many there were to be.
        notes: What was found out on the way.
        clip: The moving photograph that flickered most: seen by the network, and what it makes of it.
        words: What was done, in a sentence.
    """

    out: Path | None
    strength: float
    before: Quality
    after: Quality
    tried: dict[float, Quality]
    equivariance: tuple[float, float]
    ratio: float
    invents: bool
    iterations: int
    planned: int
    notes: list[str] = field(default_factory=list)
    clip: Clip | None = None
    words: str = ""

    @property
    def improved(self) -> bool:
        """True if a network was found that flickers less."""
        return self.out is not None


def make_steady(
    network: str,
    checkpoint: str | Path,
    images: str | Path,
    out: str | Path,
    *,
    work_dir: str | Path,
    network_options: Mapping[str, Any] | None = None,
    value_range: str | None = None,
    order: str | None = None,
    config_options: Mapping[str, Any] | None = None,
    degrade: Sequence[Mapping[str, Any]] | None = None,
    minutes: float = 10.0,
    iterations: int | None = None,
    min_detail: float | None = None,
    max_psnr_loss: float = 0.1,
    invents: bool | None = None,
    anti_alias: bool = False,
    alpha: float | None = None,
    seed: int = 0,
    gpus: int = 1,
    device: str | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> Steady:
    """Fine-tunes a network so that it flickers less, chooses how strongly, and writes its checkpoint.

    No ground truth is needed: the network as it came is the teacher. A fifth of the photographs is held out, moves, and
    says what came of it. Of the networks between before and after, the one that flickers least is chosen among those
    that keep `min_detail` of the detail and, where the scene is known to be what is to be predicted, lose no more than
    `max_psnr_loss` of PSNR. If none flickers less by more than chance, nothing is written.

    Args:
        network: Path of a config of MMagic, or `file.py:Name` of any `nn.Module`.
        checkpoint: Its weights, in the form of any training code: what is written has the same.
        images: Folder of photographs.
        out: The checkpoint that is written.
        work_dir: Of the training; what was begun there with the same arguments goes on.
        network_options, value_range, order: As of `read_network`.
        config_options: What differs from the config.
        degrade: Configs of transforms that make what the network sees of the scene; None: noise of up to 2 levels. What
            is enlarged by the network is reduced as much.
        minutes: How long it may take, all in all.
        iterations: Of the fine-tuning; None: what `minutes` allow.
        min_detail: What must be kept of the detail; None: `MIN_DETAIL`.
        max_psnr_loss: dB that PSNR may fall, where the scene is what is to be predicted.
        invents: Whether the network invents detail; None: found out.
        anti_alias: Anti-alias its strides too: the checkpoint belongs to another forward then.
        alpha: Strength of the regularisation; None: of the recipe.
        seed: Of all random numbers.
        gpus: How many processes train together, one on each GPU; more than one finds no end by `minutes`.
        device: Where it is measured; None: a GPU if there is one. Training takes what MMEngine finds.
        report: Is told what is going on, a line at a time.

    Raises:
        FileNotFoundError, ValueError, TypeError: If an argument is not there or out of range, or does not fit others.
    """
    started = time.monotonic()
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    out, folder = Path(out), Path(work_dir)
    if torch.cuda.is_available() and gpus > torch.cuda.device_count():
        raise ValueError(f"--gpus {gpus}: there are {torch.cuda.device_count()} here")
    if out.suffix != Path(checkpoint).suffix and ".safetensors" in (out.suffix, Path(checkpoint).suffix):
        raise ValueError(f"{out}: the checkpoint is written in the form of {checkpoint}, end it likewise")
    training, held_out = _split(images, seed)
    steps = [dict(step) for step in (degrade if degrade is not None else [SENSOR_NOISE])]
    found = read_network(
        network,
        checkpoint,
        partial(stills, held_out[:4], camera_of(steps, 1)),
        options=network_options,
        value_range=value_range,
        order=order,
        config_options=config_options,
        restores=degrade is not None,
    )
    camera = camera_of(steps, found.scale)
    has_truth = degrade is not None or found.scale > 1
    for note in found.found:
        report(note)
    before = found.build().to(device)
    frames = FrameModel.of_model(before, found.order, device)
    judge = QualityMeter(_pictures(frames, held_out, camera, minutes), found.domain, has_truth)
    first = judge.measure(frames)
    eq_before = _equivariance(frames, held_out)
    noise = amplified_noise(frames, held_out[: len(judge.pictures)], camera, found.domain)
    noisy = noise > max(INVENTS, first.true_detail)
    if noisy:
        report(f"{noise / first.detail:.0%} of its detail is its input's noise: what is to be kept is the scene's")
    if invents is None:
        invents = first.invents(noise)
        if invents:
            report("most of its detail is invented: predictions are compared relative to how much there is")
    if first.flicker <= AS_STEADY:
        report(f"it hardly flickers: F is {first.flicker:.2f}, and 1 is as steady as the scene")
    if found.strides is None and (causes := _causes(frames, held_out, anti_alias)):
        report(causes)
    anti_alias = anti_alias or found.strides is not None
    crop = smallest_edge(found.build().to(device), found.scale)
    training = [path for path in training if min(_size(path)) >= crop + 2 * SHIFT]
    recipe = recipe_for(found, invents, crop, alpha, anti_aliased=anti_alias, steps=steps, seed=seed)
    length = Length(iterations, started + 60 * 0.75 * minutes, started + 60 * 0.85 * minutes)
    trained = train(
        found, recipe, (Path(images), training), folder=folder, length=length, report=report, processes=gpus
    )
    student = found.build(anti_alias).to(device) if anti_alias else before

    def blended(strength: float) -> FrameModel:
        found.load(student, blend_weights(found.form.weights(), trained.weights, strength))
        return FrameModel.of_model(student, found.order, device)

    min_detail = MIN_DETAIL[invents] if min_detail is None else min_detail
    limits = Limits(min_detail, max_psnr_loss, noisy)
    same = found.strides is not None or not anti_alias
    chosen, tried = strongest(lambda strength: judge.measure(blended(strength)), first, limits, ends_in_before=same)
    worst = max(range(len(judge.pictures)), key=lambda number: first.flickers[number])
    best, eq, after = first, eq_before, judge.last[worst]
    if chosen:
        taken = blended(chosen)
        best, eq, after = tried[chosen], _equivariance(taken, held_out), judge.frames(taken, judge.pictures[worst])
    ratio = flicker_ratio(first.flickers, best.flickers)[0] if chosen else 1.0
    result = Steady(
        out=out if chosen else None,
        strength=chosen or 0.0,
        before=first,
        after=best,
        tried=tried,
        equivariance=(eq_before, eq),
        ratio=ratio,
        invents=invents,
        iterations=trained.iterations,
        planned=trained.planned,
        notes=found.found,
    )
    result.words = in_words(result, limits)
    told = asdict(result)
    result.clip = Clip(judge.pictures[worst], judge.first[worst], after, found.domain)
    if chosen:
        found.form.write(blend_weights(found.form.weights(), trained.weights, chosen), out, trained.strides)
    write_json(folder / "steady.json", told)
    return result


@dataclass(frozen=True)
class Limits:
    """Limits to what a network may lose.

    Attributes:
        min_detail: What must be kept of its detail, and of the scene's in it.
        max_psnr_loss: dB that PSNR may fall.
        noisy: Most of its detail is noise, which may go: only the scene's is to be kept.
    """

    min_detail: float
    max_psnr_loss: float = 0.1
    noisy: bool = False

    def passed(self, before: Quality, after: Quality) -> list[str]:
        """Names the limits that are passed."""
        return [words for _, words in self._passed(before, after)]

    def excess(self, before: Quality, after: Quality) -> float:
        """How far the limit is passed that is passed farthest, as a part of the detail or of the error; 0: none is."""
        return max((by for by, _ in self._passed(before, after)), default=0.0)

    def _passed(self, before: Quality, after: Quality) -> list[tuple[float, str]]:
        lost = []
        if after.kept < self.min_detail and not self.noisy:
            kept = _apart(after.kept, self.min_detail)
            lost.append((self.min_detail - after.kept, f"keeps {kept} of the detail"))
        if before.true_detail > SCARCE and after.true_detail < self.min_detail * before.true_detail:
            share = after.true_detail / before.true_detail
            kept = _apart(share, self.min_detail)
            lost.append((self.min_detail - share, f"keeps {kept} of the scene's detail"))
        lost = [(by, f"{words} (--min-detail {self.min_detail:g})") for by, words in lost]
        beyond = before.psnr - self.max_psnr_loss - after.psnr
        if beyond > 0:
            loss = _apart(before.psnr - after.psnr, self.max_psnr_loss)
            lost.append((10 ** (beyond / 10) - 1, f"loses {loss} dB (--max-psnr-loss {self.max_psnr_loss:g})"))
        return lost


def _apart(value: float, limit: float) -> str:
    """A value in two decimals, or in as many as show on which side of the limit it lies."""
    texts = (f"{value:.{decimals}f}" for decimals in range(2, 9))
    return next(
        (text for text in texts if (float(text) < limit, float(text) > limit) == (value < limit, value > limit)),
        f"{value}",
    )


def strongest(
    measure: Callable[[float], Quality], before: Quality, limits: Limits, *, ends_in_before: bool = True
) -> tuple[float, dict[float, Quality]]:
    """The strongest network between before (0) and after (1) that can be afforded, found by halving, and all tries.

    0 if there is none, or if it flickers no less than before beyond chance: F has to fall by a twentieth at least, and
    by more than two standard errors over clips.

    Args:
        measure: Gives the quality of a strength.
        before: Of the network as it came.
        limits: What it may lose.
        ends_in_before: Strength 0 is the network as it came. Else, of a network whose strides are newly anti-aliased,
            it may have lost more than strength 1, and then there is nothing to be looked for between them.
    """
    tried: dict[float, Quality] = {}
    affordable, too_strong = 0.0, 1.0

    def gained() -> bool:
        return affordable > 0 and flickers_less(before.flickers, tried[affordable].flickers)

    while affordable < 1 and len(tried) < (TRIES if gained() else TRIES + MORE_TRIES):
        strength = (affordable + too_strong) / 2 if tried else 1.0
        tried[strength] = measure(strength)
        if not limits.passed(before, tried[strength]):
            affordable = strength
        else:
            too_strong = strength
            if strength == 1 and not ends_in_before:
                tried[0.0] = measure(0.0)
                if limits.excess(before, tried[0.0]) >= limits.excess(before, tried[1.0]):
                    break
    return affordable if gained() else 0.0, dict(sorted(tried.items()))


def in_words(result: Steady, limits: Limits) -> str:
    """Says in a few sentences what was done."""
    words = _verdict(result, limits)
    if result.iterations < result.planned:
        again = "the same command goes on" + " (with --overwrite)" * result.improved
        words += f" The fine-tuning was stopped at {result.iterations} of {result.planned} iterations: {again}."
    return words


def _less(ratio: float) -> str:
    """'7 % less', or from half as much again on '1.5 times less'."""
    return f"{1 / ratio:.1f} times less" if 1 / ratio >= 1.5 else f"{1 - ratio:.0%} less".replace("%", " %")


def _verdict(result: Steady, limits: Limits) -> str:
    if not result.improved:
        less = [
            strength
            for strength, quality in result.tried.items()
            if flickers_less(result.before.flickers, quality.flickers) and limits.passed(result.before, quality)
        ]
        if not less:
            if result.before.flicker <= AS_STEADY:
                return (
                    f"The network as it came does not flicker: F is {result.before.flicker:.2f}, and 1 is as steady as "
                    "the scene. There is nothing to be gained, and no checkpoint was written."
                )
            return "Nothing flickers less than the network as it came by more than chance. No checkpoint was written."
        nearest = min(less, key=lambda strength: limits.excess(result.before, result.tried[strength]))
        ratio = flicker_ratio(result.before.flickers, result.tried[nearest].flickers)[0]
        lost = " and ".join(limits.passed(result.before, result.tried[nearest]))
        return (
            f"Nothing flickers less by more than chance at a price that is allowed: at strength {nearest:g} it "
            f"flickers {_less(ratio)}, and {lost}. No checkpoint was written."
        )
    after = result.after
    where = (
        f"{after.psnr - result.before.psnr:+.2f} dB to the scene"
        if not math.isnan(after.psnr)
        else f"{after.distance:.1f} dB from what it predicted before"
    )
    eq = f"EQ {result.equivariance[0]:.1f} -> {result.equivariance[1]:.1f} dB"
    return f"It flickers {_less(result.ratio)}, keeps {after.kept:.2f} of the detail, and is {where}; {eq}."


def _split(images: str | Path, seed: int, edge: int = CROPS[0] + 2 * SHIFT) -> tuple[list[Path], list[Path]]:
    """Photographs to train on and those held out, a fifth.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it has too few.
    """
    found = [path for path in find_images(images) if path.suffix.lower() not in HDR_SUFFIXES]
    files = [path for path in found if min(_size(path)) >= edge]
    if len(files) < FEWEST_IMAGES:
        raise ValueError(
            f"{images} has {len(files)} photographs of {edge} pixels each way or more ({len(found)} of any size): "
            f"{FEWEST_IMAGES} are needed at least, 100 are better"
        )
    order = np.random.default_rng(seed).permutation(len(files))
    number = min(max(4, len(files) // 5), MOST_CLIPS)
    return [files[i] for i in sorted(order[number:])], [files[i] for i in order[:number]]


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def _pictures(frames: FrameModel, files: Sequence[Path], camera: Camera, minutes: float) -> list[MovingPicture]:
    """Moving photographs, as many as can be measured in a tenth of the time: all tries see them."""
    trial = next(iter(moving_pictures(files[:1], camera, num_frames=2)))
    frames(trial.seen[:1])
    started = time.perf_counter()
    frames(trial.seen[:1])
    seconds = (time.perf_counter() - started) * (1 + TRIES) * 8
    number = max(4, min(MOST_CLIPS, int(6 * minutes / seconds)))
    return list(moving_pictures(files[:number], camera))


def _equivariance(frames: FrameModel, files: Sequence[Path]) -> float:
    return measure_image_equivariance(frames, files[:4], crop=128, num_transforms=1)["EQ"]


def _causes(frames: FrameModel, files: Sequence[Path], anti_alias: bool) -> str | None:
    """Whether strides are to blame, if they are, and what to do; or if it is done, whether they are; None: nothing."""
    shifts = (1, 2, 4)
    needed = smallest_crop(shifts) + max(shifts)
    large = [path for path in files[:4] if min(read_display(path).shape[-2:]) >= needed]
    try:
        causes: FlickerCauses = find_flicker_causes(frames, large, crop=128, shifts=shifts, stages=False)
    except ValueError:
        return None
    verdict = causes.verdict(advice=False)
    if anti_alias or not causes.strides_to_blame:
        return verdict if anti_alias else None
    return (
        f"{verdict} --anti-alias does it: the network must be run with its strides anti-aliased then "
        "(docs/anti_aliasing.md)."
    )
