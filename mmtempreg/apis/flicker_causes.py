"""Why does a network flicker? How its prediction changes with the picture's place on the pixel grid, and with noise."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..functional import saturation_mask
from ..meters import DOMAINS
from ..openmmlab.checkpoints import anti_aliasing_in
from .equivariance import read_display
from .frame_model import FrameModel

SHIFTS = (1, 2, 4, 8, 16, 32)
"""Pixels by which the picture is shifted."""

NOISE = 2.0
"""Standard deviation in 8-bit levels of the noise that a network is tried with: about what a camera by daylight has."""

MARGIN = 16
"""Pixels along the border of a crop that do not count: there a network sees an end of the world, and that stays."""


@dataclass
class Changes:
    """Mean squares of how a prediction changes, in its domain.

    Attributes:
        shifts: Pixels -> change when the picture moves by them.
        noise: Change when the picture has other noise.
    """

    shifts: dict[int, float] = field(default_factory=dict)
    noise: float = float("nan")

    @property
    def of_phase(self) -> float:
        """Mean over the shifts by less than 8 pixels: what a slow pan makes of it."""
        small = [value for shift, value in self.shifts.items() if shift < 8]
        return sum(small) / len(small) if small else math.nan


@dataclass(kw_only=True)
class FlickerCauses:
    """Result of `find_flicker_causes`.

    Attributes:
        as_it_is: The network's changes.
        stages: Name of what samples -> changes with that alone anti-aliased.
        anti_aliased: With all of them; None: there is nothing that could be.
        missed: What samples and cannot be anti-aliased.
        filtered: Whether its strides are anti-aliased already.
        noise: Standard deviation in 8-bit levels of the noise that it was tried with.
    """

    as_it_is: Changes
    stages: dict[str, Changes]
    anti_aliased: Changes | None
    missed: list[str]
    filtered: bool = False
    noise: float = NOISE

    @property
    def rows(self) -> dict[str, Changes]:
        """All that was tried, as tables and pictures call it."""
        rows = {"as it is": self.as_it_is} | {f"{name} anti-aliased": changes for name, changes in self.stages.items()}
        return rows | ({"all anti-aliased": self.anti_aliased} if self.anti_aliased else {})

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Headings and rows: mean squares in thousandths."""
        shifts = list(self.as_it_is.shifts)
        headings = ["change, 1e-3", *(f"{shift} px" for shift in shifts), "noise"]
        return headings, [
            [name, *(f"{1e3 * value:.3g}" for value in (*changes.shifts.values(), changes.noise))]
            for name, changes in self.rows.items()
        ]

    def as_dict(self) -> dict[str, Any]:
        """All of it, for a file."""
        rows = {name: dict(shifts=changes.shifts, noise=changes.noise) for name, changes in self.rows.items()}
        return dict(rows=rows, missed=self.missed, verdict=self.verdict())

    def verdict(self, advice: bool = True) -> str:
        """In words: which stages are to blame, what anti-aliasing takes away, and what is noise.

        Args:
            advice: Say what to write into a config, too.
        """
        todo = "Try it: model=dict(type='AntiAliasedModel', model=...)."
        return " ".join([self._of_strides(), *[todo] * (advice and self.strides_to_blame), *self._of_the_rest()])

    @property
    def strides_to_blame(self) -> bool:
        """True if anti-aliasing is worth trying: it takes away a fifth at least, and noise is not the largest part."""
        if self.anti_aliased is None or self._noise_share > 0.5:
            return False
        return self.anti_aliased.of_phase < 0.8 * self.as_it_is.of_phase

    def _of_strides(self) -> str:
        before = self.as_it_is.of_phase
        if self.anti_aliased is None:
            if self.filtered:
                return "Its strides are anti-aliased already."
            return "It has no pooling or strided convolution that could be anti-aliased."
        gone = 1 - self.anti_aliased.of_phase / before if before else 0.0
        what = "of what the prediction changes when the picture moves by 1 to 4 pixels"
        if gone < 0.2:
            return f"Anti-aliasing takes away {100 * max(0.0, gone):.0f} % only {what}: its strides are not the cause."
        alone = {name: 1 - changes.of_phase / before for name, changes in self.stages.items()}
        worst = sorted(alone, key=lambda name: -alone[name])[:3]
        parts = ", ".join(f"{name} ({100 * alone[name]:.0f} %)" for name in worst if alone[name] > 0.1)
        return f"Anti-aliasing takes away {100 * gone:.0f} % {what}{f'; of it alone: {parts}' if parts else ''}."

    @property
    def _noise_share(self) -> float:
        both = self.as_it_is.noise + self.as_it_is.of_phase
        return self.as_it_is.noise / both if both else 0.0

    def _of_the_rest(self) -> Iterator[str]:
        if self.missed:
            yield f"Not looked into, since it samples outside of modules: {'; '.join(self.missed)}."
        yield f"Noise of {self.noise:g} levels has {100 * self._noise_share:.0f} % of both:"
        if self._noise_share > 0.5:
            yield (
                "most of what flickers is noise, which anti-aliasing leaves. Training with noise of its own on T(x) "
                "steadies it, for some detail."
            )
        else:
            yield "most of what flickers is the picture's place, and not noise."


def find_flicker_causes(
    model: FrameModel,
    files: Iterable[Path],
    *,
    crop: int = 256,
    shifts: Sequence[int] = SHIFTS,
    stages: bool = True,
    taps: int = 3,
    noise: float = NOISE,
) -> FlickerCauses:
    """Measures how predictions change when crops of images move by whole pixels, and with noise, and what does it.

    Nothing is interpolated: the moved picture is another crop of the same image, as a camera that moved by whole pixels
    would have it, and a network without phase would predict the same. Radiance is compared as its logarithm, where the
    input is saturated; display values as they are.

    Args:
        model: Any single-image model.
        files: Images of display values, with room for the crop and the shift.
        crop: Edge of the crops in pixels; smaller images give smaller ones.
        shifts: In pixels.
        stages: Try each pooling and strided convolution by itself too.
        taps: Of the low-pass that they are tried with.
        noise: Standard deviation in 8-bit levels: of what frames of the network's kind have. A denoiser's have much.

    Raises:
        ValueError: If an image cannot be read or is too small: the message names it; or nothing can be compared.
    """
    from ..models.anti_aliasing import looked_for_sampling, mapping_networks, strided_modules

    if crop < smallest_crop(shifts):
        raise ValueError(f"shifts of up to {max(shifts)} pixels need a crop of {smallest_crop(shifts)}, got {crop}")
    networks = mapping_networks(model.model)
    sampling = [f"{name}.{one.name}" for name, network in networks.items() for one in strided_modules(network)]
    missed = [f"{name}.{text}" for name, network in networks.items() for text in looked_for_sampling(name, network)]
    tried = {"": model}
    if sampling:
        tried["all"] = _anti_aliased(model, sampling, sampling, taps)
        if stages and len(sampling) > 1:
            tried |= {name: _anti_aliased(model, sampling, [name], taps) for name in sampling}
    sums = {name: _Sums() for name in tried}
    for number, path in enumerate(files):
        image = read_display(path)
        _add_image(tried, sums, image, path, crop, shifts, noise, number)
    found = {name: total.changes() for name, total in sums.items()}
    if not math.isfinite(found[""].of_phase):
        raise ValueError(
            "there is nothing to compare: no picture is saturated, which is where the radiance that it predicts counts"
        )
    alone = {name: changes for name, changes in found.items() if name not in ("", "all")}
    filtered = anti_aliasing_in(model.model) is not None
    return FlickerCauses(
        as_it_is=found[""], stages=alone, anti_aliased=found.get("all"), missed=missed, filtered=filtered, noise=noise
    )


def _anti_aliased(model: FrameModel, sampling: Sequence[str], wanted: Sequence[str], taps: int) -> FrameModel:
    """Copies a model, with some of its strides anti-aliased."""
    from ..models.anti_aliasing import anti_alias, mapping_networks

    changed = copy.copy(model)
    changed.model = copy.deepcopy(model.model)
    for name, network in mapping_networks(changed.model).items():
        prefix = f"{name}."
        keep = [one.removeprefix(prefix) for one in sampling if one.startswith(prefix) and one not in wanted]
        anti_alias(network, taps, keep=keep)
    return changed


def smallest_crop(shifts: Sequence[int] = SHIFTS) -> int:
    """Edge in pixels of the smallest crops that shifts leave something of."""
    return max(shifts) + 2 * MARGIN + 8


class _Sums:
    """Sums of squares and of weights for each shift (pixels), and for noise (None)."""

    def __init__(self) -> None:
        self.sums: dict[int | None, tuple[float, float]] = {}

    def add(self, key: int | None, squares: Tensor, weight: Tensor) -> None:
        total, count = self.sums.get(key, (0.0, 0.0))
        weight = weight.expand_as(squares)
        self.sums[key] = (total + float((squares * weight).sum()), count + float(weight.sum()))

    def changes(self) -> Changes:
        means = {key: total / count if count else float("nan") for key, (total, count) in self.sums.items()}
        return Changes({key: value for key, value in means.items() if key is not None}, means.get(None, float("nan")))


def _add_image(
    tried: Mapping[str, FrameModel],
    sums: Mapping[str, _Sums],
    image: Tensor,
    path: Path,
    crop: int,
    shifts: Sequence[int],
    noise: float,
    number: int,
) -> None:
    """Adds the changes of each network on one image (3, H, W)."""
    height, width = image.shape[-2:]
    edge = min(crop, min(height, width) - max(shifts))
    if edge < smallest_crop(shifts):
        needed = smallest_crop(shifts) + max(shifts)
        raise ValueError(f"{path} is {width}x{height}: shifts of up to {max(shifts)} pixels need {needed}")
    top, left = (height - edge - max(shifts)) // 2, (width - edge - max(shifts)) // 2
    crops = [(0, 0), *((shift, 0) for shift in shifts), *((0, shift) for shift in shifts)]
    inputs = [image[:, top + down : top + down + edge, left + right : left + right + edge] for down, right in crops]
    generator = torch.Generator().manual_seed(number)
    noisy = [
        (inputs[0] + noise / 255 * torch.randn(inputs[0].shape, generator=generator)).clamp(0, 1) for _ in range(2)
    ]
    for name, model in tried.items():
        domain = DOMAINS["log" if model.radiance else "rgb"]
        still, *moved = (domain.convert(model(x.unsqueeze(0))[0]) for x in inputs)
        weight = saturation_mask(inputs[0]) if model.radiance else torch.ones(1, edge, edge)
        scale = still.shape[-1] // edge
        weight = torch.nn.functional.interpolate(weight[None], still.shape[-2:])[0]
        inner = slice(MARGIN * scale, still.shape[-1] - MARGIN * scale)
        for (down, right), prediction in zip(crops[1:], moved):
            h, w = (still.shape[-1] - by * scale for by in (down, right))
            one, other = still[:, -h:, -w:], prediction[:, :h, :w]
            counted = weight[:, -h:, -w:] * _inside(one, inner.start)
            sums[name].add(max(down, right), (one - other).square(), counted)
        first, second = (domain.convert(model(x.unsqueeze(0))[0]) for x in noisy)
        sums[name].add(None, (first - second)[:, inner, inner].square(), weight[:, inner, inner])


def _inside(image: Tensor, margin: int) -> Tensor:
    """(1, h, w): 1 but along the border."""
    weight = torch.zeros(1, *image.shape[-2:])
    weight[:, margin : image.shape[-2] - margin, margin : image.shape[-1] - margin] = 1
    return weight
