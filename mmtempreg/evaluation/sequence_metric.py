"""Meters as MMagic metrics: which frames of which clip come, in what order, and from which rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, NamedTuple

import torch
from mmagic.evaluation.metrics.base_sample_wise_metric import BaseSampleWiseMetric
from mmagic.registry import METRICS
from mmengine.dist import all_gather_object
from mmengine.logging import print_log
from torch import Tensor

from ..functional import Motion, estimate_motion, lag_frames, saturation_mask
from ..functional.camera import SATURATION_THRESHOLD
from ..functional.motion import known_motion
from ..meters import DOMAINS, METERS, Clip, Meter, Sums, add_sums
from ..meters.columns import Column
from ..meters.domains import MAX_RADIANCE, shown
from ..utils.validation import OneOf, Positive, SomeShare, check_arguments


class ClipRow(NamedTuple):
    """A finished clip.

    Attributes:
        clip: Its name.
        num_frames: Its length.
        sums: What its meter has summed up.
    """

    clip: str
    num_frames: int
    sums: Sums


@METRICS.register_module()
class SequenceMetric(BaseSampleWiseMetric):
    """A meter that sees the frames of clips in order, and holds no more than it needs of them.

    The data samples must tell `clip` (a name), `frame` (0-based), `num_frames` and `fps`; predictions and ground
    truth are (C, H, W) of the same range, in MMagic's order, BGR. One clip ends before the next begins. In distributed
    evaluation a clip stays on one rank (`ClipSampler`). A meter that wants to know the motion takes it from `motion` in
    the data sample, {lag in frames: (flow, visible)} as in `meters.Motion`; where that is missing it is estimated in
    the ground truth (OpenCV's DIS), from frame to frame only.

    Args:
        meter: Name of a measure in `meters.METERS`; subclasses have their own.
        domain: In what values are compared: 'linear' (as they come), 'log' (natural, of v + 1/255) or 'gamma'
            (v^(1/2.2)), both for linear radiance; or 'rgb', 'luminance' or 'ab' (the colour channels of CIE Lab over
            110) of images in [0, 255]. Two channels are taken for a / 110 and b / 110 already.
        mask: None: every pixel counts; 'saturated': as much as it is saturated in the ground truth,
            `functional.saturation_mask`, where 1 in `gt_key` is where the sensor saturates.
        threshold: Display value or radiance at which that mask begins.
        white: The value of white in predictions and ground truth, for measures of display values: 255 in MMagic.
            Radiance, where white is 1, is shown to them in the domain 'gamma'.
        reduction: 'mean' over the clips' values, or 'pooled': one value of the sums over all clips.
        per_clip: Report every clip as `<name>/<clip>` too.
        options: Of the meter, such as `dict(lag=1.0)`; named metrics take them as arguments of their own.
        kwargs: Arguments of `BaseSampleWiseMetric`.

    Raises:
        ValueError: For unknown options; in evaluation, if a frame is missing, comes out of order, or differs in
            size or rate: the message names clip and frame.
    """

    meter: type[Meter]

    @check_arguments
    def __init__(
        self,
        meter: str | None = None,
        *,
        domain: Annotated[str, OneOf(tuple(DOMAINS))] = "linear",
        mask: Annotated[str, OneOf(("saturated",))] | None = None,
        threshold: SomeShare = SATURATION_THRESHOLD,
        white: Positive = 255.0,
        reduction: Annotated[str, OneOf(("mean", "pooled"))] = "mean",
        per_clip: bool = False,
        options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if meter is not None or not hasattr(self, "meter"):
            if meter not in METERS:
                raise ValueError(f"meter must be one of {tuple(METERS)}, got {meter!r}")
            self.meter = METERS[meter]
        names, own = (self.meter.metric, *self.meter.metric_aliases), type(self).__name__
        self.lag: float | None = (options or {}).get("lag")
        self.column = Column(own if own in names else names[0], self.lag)
        self.metric = self.column.name  # the base class asks for it
        super().__init__(**kwargs)
        self.display = self.meter.display
        if self.display and (mask or domain not in ("linear", "gamma")):
            raise ValueError(
                f"{self.metric} is of whole pictures and of display values: no mask, no domain but 'linear' or 'gamma'"
            )
        self.domain, self.mask, self.threshold, self.white = domain, mask, threshold, white
        self.reduction, self.per_clip, self.options = reduction, per_clip, options or {}
        self._open: tuple[str, int, float, tuple[int, ...]] | None = None  # clip, num_frames, fps, shape
        self._next = 0

    def peak(self) -> float:
        """Width of the range of values in the domain."""
        domain = DOMAINS[self.domain]
        if self.display or not domain.radiance:
            return domain.peak(1.0)
        return domain.peak(self.white if self.domain == "linear" else MAX_RADIANCE)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Takes the frames of a batch, in order."""
        for sample in data_samples:
            truth, image = _image(sample, self.gt_key), _image(sample["output"], self.pred_key)
            mask = saturation_mask(truth, self.threshold) if self.mask else None
            target, pred = self._view(truth), self._view(image)
            clip, frame = self._check_order(sample, target, pred)
            if not torch.isfinite(pred).all():
                raise ValueError(f"clip {clip!r}, frame {frame}: the prediction holds NaN or infinite values")
            self.update(sample, pred, target, mask)
            self._next += 1
            if self._next == sample["num_frames"]:
                self._finish(clip, self._next)

    def update(self, sample: dict, pred: Tensor, target: Tensor, mask: Tensor | None) -> None:
        """Gives the next frame to the meter."""
        self._meter.update(pred, target, mask, self._motion(sample) if self.meter.needs_motion else None)

    def _view(self, image: Tensor) -> Tensor:
        """MMagic's image in the metric's domain, or as RGB display values in [0, 1]."""
        domain = DOMAINS[self.domain]
        if self.display:
            return (domain.convert(image.flip(0)) / self.white).clamp(0, 1)
        if len(image) == 2:
            return image
        return domain.convert(image.flip(0) if domain.radiance else image.flip(0) / 255)

    def _motion(self, sample: dict) -> Motion | None:
        """From the frame `lag` before this: the exact one if the sample knows it, else of estimated flow."""
        lag = lag_frames(self.lag, float(sample["fps"]))
        if self._next == 0:
            self._guide: Tensor | None = None
        known = known_motion(sample.get("motion"), lag)
        if known is not None:
            return known
        truth = _image(sample, self.gt_key)
        if lag > 1:  # nobody can estimate that: unknown everywhere
            return Motion(torch.zeros(2, *truth.shape[-2:]), torch.zeros(1, *truth.shape[-2:]))
        radiance = DOMAINS[self.domain].radiance and self.domain != "linear"
        guide = shown(truth.flip(0), True) if radiance else truth.flip(0) / self.white
        then, self._guide = self._guide, guide
        return None if then is None else estimate_motion(guide, then)

    def _check_order(self, sample: dict, target: Tensor, pred: Tensor) -> tuple[str, int]:
        missing = [key for key in ("clip", "frame", "num_frames", "fps") if key not in sample]
        if missing:
            raise ValueError(
                f"{type(self).__name__} needs {missing} in the data sample: add them to the dataset's items, and "
                "pack them with PackInputs(meta_keys=['clip', 'frame', 'num_frames', 'fps'])"
            )
        clip, frame, now = sample["clip"], sample["frame"], (sample["clip"], sample["num_frames"], sample["fps"])
        where = f"clip {clip!r}, frame {frame}"
        if target.shape != pred.shape:
            raise ValueError(f"{where}: ground truth {tuple(target.shape)} and prediction {tuple(pred.shape)} differ")
        if self._open is None:
            self._next = 0
            self._open = (*now, tuple(target.shape))
            about = Clip(float(sample["fps"]), int(sample["num_frames"]), self.peak())
            self._meter = self.meter.of_clip(about, **self.options)
        name, _, _, shape = self._open
        if name != clip:
            raise ValueError(f"{where} came while clip {name!r} still lacks frame {self._next}")
        if frame != self._next:
            raise ValueError(f"{where} came where frame {self._next} was expected")
        if self._open[:3] != now:
            raise ValueError(f"{where}: num_frames and fps are {now[1:]}, before they were {self._open[1:3]}")
        if shape != tuple(target.shape):
            raise ValueError(f"{where} has shape {tuple(target.shape)}, the frames before it {shape}")
        return clip, frame

    def _finish(self, clip: str, num_frames: int) -> None:
        sums = self._meter.finish()
        self._open = None
        if math.isnan(self.meter.value(sums)):
            print_log(f"{self.metric}: clip {clip!r} skipped, {self.meter.reason(sums)}", "current")
        else:
            self.results.append(ClipRow(clip, num_frames, sums))

    def evaluate(self) -> dict[str, float]:
        """The set's value, and every clip's with `per_clip`, over all ranks."""
        if self._open is not None:
            raise ValueError(f"clip {self._open[0]!r} ends without frame {self._next} of {self._open[1]}")
        rows = sorted(row for part in all_gather_object(self.results) for row in part)
        self.results.clear()
        return {f"{self.prefix}/{name}" if self.prefix else name: v for name, v in self.compute_metrics(rows).items()}

    def compute_metrics(self, rows: list[ClipRow]) -> dict[str, float]:
        """Clips' rows to named values; nan if there is no clip to measure."""
        if rows and self.reduction == "pooled":
            pooled = rows[0].sums
            for row in rows[1:]:
                pooled = add_sums(pooled, row.sums)
            values = [self._values(pooled)]
        else:
            values = [self._values(row.sums) for row in rows]
        if not values:
            return {self.metric: math.nan}
        scaled = {name: self.scaling * sum(one[name] for one in values) / len(values) for name in values[0]}
        if self.per_clip:
            scaled |= {f"{self.metric}/{row.clip}": self.meter.value(row.sums) * self.scaling for row in rows}
        return scaled

    def _values(self, sums: Sums) -> dict[str, float]:
        """The measure and what stands beside it, by name."""
        beside = {replace(self.column, beside=name).name: value for name, value in self.meter.beside(sums).items()}
        return {self.metric: self.meter.value(sums), **beside}


def _image(sample: dict, key: str) -> Tensor:
    if key not in sample:
        raise ValueError(f"the data sample holds no {key!r}, only {sorted(sample)}")
    return torch.as_tensor(sample[key]).float().cpu()
