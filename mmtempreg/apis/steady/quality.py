"""Quality of a network on moving photographs: flicker, detail, and the distance to what it predicted before."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...functional import inverse_camera_curve, saturation_mask
from ...meters import DOMAINS, DetailMeter, FlickerMeter, Meter, PSNRMeter, TrueDetailMeter, add_sums
from .pictures import Camera, MovingPicture, moving_pictures

Predict = Callable[[Tensor], Tensor]
INVENTS = 0.3
"""A network invents detail if what it has that is not the scene's is more than this part of what the scene has, and
more than what it has of that."""

MEAN_CAMERA = (0.9, 0.6)
"""Exponent and shoulder of the curve by which display values of a photograph are taken as light."""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Measures over all clips.

    Attributes:
        flickers: F of each clip.
        flicker: F of all, along the exact motion.
        detail: K to the scene; nan of radiance, of which a photograph does not show what is to be predicted.
        kept: K to the predictions of the network as it came.
        true_detail: K true, to the scene; nan likewise.
        psnr: dB to the scene; nan if that is not what is to be predicted.
        distance: dB between the predictions and those of the network as it came; inf of itself.
    """

    flickers: tuple[float, ...]
    flicker: float
    detail: float
    kept: float
    true_detail: float
    psnr: float
    distance: float

    @property
    def invented(self) -> float:
        """Detail that is not the scene's, in parts of what that has; nan where it is not known."""
        return self.detail - self.true_detail

    def invents(self, noise: float) -> bool:
        """True of a network that invents detail, as those do that were trained with a GAN.

        Args:
            noise: What it makes of its input's noise (`amplified_noise`), which is nobody's invention.
        """
        return self.invented - noise > max(INVENTS, self.true_detail)


def amplified_noise(predict: Predict, files: Sequence[Path], camera: Camera, domain: str) -> float:
    """Fine detail that comes of the camera's noise alone, in parts of what scenes have.

    Each scene is photographed twice from the same place; half of what the predictions differ by, as energy, is noise.

    Args:
        predict: The network, as for `QualityMeter.measure`.
        files: Photographs.
        camera: From a scene to what the network sees, with random numbers of NumPy.
        domain: Name of what predictions are compared in.
    """
    meter, convert = DetailMeter(), DOMAINS[domain].convert
    shots = [list(moving_pictures(files, camera, num_frames=1, seed=seed)) for seed in (0, 1)]
    for first, second in zip(*shots):
        one, other = (convert(predict(shot.seen)[0]) for shot in (first, second))
        meter.update((one - other) / math.sqrt(2), convert(first.truth[0]))
    return DetailMeter.value(meter.finish())


class QualityMeter:
    """Measures networks on the same clips; the first is the one as it came.

    Args:
        pictures: The clips.
        domain: Name of what predictions are compared in (`meters.DOMAINS`).
        has_truth: Whether the scene is what is to be predicted.

    Attributes:
        first, last: (T, 3, H, W) what the first and the last network have made of each clip.
    """

    def __init__(self, pictures: Sequence[MovingPicture], domain: str, has_truth: bool) -> None:
        self.pictures, self.domain, self.has_truth = pictures, DOMAINS[domain], has_truth
        self._before: list[Tensor] = []

    def measure(self, predict: Predict) -> Quality:
        """The quality of a network: a function from (N, 3, h, w) RGB in [0, 1] to what it makes of it.

        Raises:
            ValueError: If what it makes is of another size than the scene.
        """
        self.last = [self.frames(predict, picture) for picture in self.pictures]
        predicted = [self.domain.convert(clip) for clip in self.last]
        if not self._before:
            self.first, self._before = self.last, predicted
        found: dict[str, list[Any]] = {name: [] for name in ("F", "K", "kept", "true", "psnr", "distance")}
        for picture, frames, before in zip(self.pictures, predicted, self._before):
            scene = self.domain.convert(self._radiance(picture.truth))
            mask = saturation_mask(picture.truth) if self.domain.radiance else None
            meters: dict[str, tuple[Meter, Tensor]] = dict(
                F=(FlickerMeter(), scene),
                K=(DetailMeter(), scene),
                kept=(DetailMeter(), before),
                true=(TrueDetailMeter(), scene),
                psnr=(PSNRMeter(), scene),
                distance=(PSNRMeter(), before),
            )
            for name, (meter, target) in meters.items():
                for number, frame in enumerate(frames):
                    weight = None if mask is None else mask[number]
                    meter.update(frame, target[number], weight, picture.motion if number else None)
                found[name].append(meter.finish())
        pooled = {name: reduce(add_sums, sums) for name, sums in found.items()}
        return Quality(
            flickers=tuple(FlickerMeter.value(sums) for sums in found["F"]),
            flicker=FlickerMeter.value(pooled["F"]),
            detail=math.nan if self.domain.radiance else DetailMeter.value(pooled["K"]),
            kept=DetailMeter.value(pooled["kept"]),
            true_detail=math.nan if self.domain.radiance else TrueDetailMeter.value(pooled["true"]),
            psnr=PSNRMeter.value(pooled["psnr"]) if self.has_truth else math.nan,
            distance=PSNRMeter.value(pooled["distance"]),
        )

    def frames(self, predict: Predict, picture: MovingPicture) -> Tensor:
        """Runs a network on a clip: (T, 3, H, W).

        Raises:
            ValueError: As `measure`.
        """
        frames = torch.cat([predict(frame) for frame in picture.seen.split(1)])
        if frames.shape[-2:] != picture.truth.shape[-2:]:
            sizes = " and ".join(f"{image.shape[-1]}x{image.shape[-2]}" for image in (frames, picture.truth))
            raise ValueError(f"predictions and scenes are {sizes}: is the scale right?")
        return frames

    def _radiance(self, scene: Tensor) -> Tensor:
        return inverse_camera_curve(scene, *MEAN_CAMERA) if self.domain.radiance else scene
