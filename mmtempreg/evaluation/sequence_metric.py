"""What all metrics of ordered clips have in common."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmagic.evaluation.metrics.base_sample_wise_metric import BaseSampleWiseMetric
from mmengine.dist import all_gather_object
from mmengine.logging import print_log
from torch import Tensor

from ..functional import log_radiance, rgb_to_lab, saturation_mask
from ..functional.camera import SATURATION_THRESHOLD
from ..functional.color import AB_SCALE

DOMAINS = ("linear", "log", "gamma", "ab")

GAMMA = 2.2


def to_domain(values: Tensor, domain: str) -> Tensor:
    """Values as they are ('linear'), ln(v + 1/255) ('log'), v^(1/2.2) ('gamma'), or a and b over 110 ('ab').

    The first three take any shape, 'log' and 'gamma' linear radiance >= 0; 'ab' takes MMagic's images, (3, H, W) BGR in
    [0, 255], and leaves (2, H, W) as they are: those are a / 110 and b / 110 already.
    """
    if domain == "linear":
        return values
    if domain == "ab":
        return values if values.shape[-3] == 2 else rgb_to_lab(values.flip(-3) / 255)[..., 1:, :, :] / AB_SCALE
    return log_radiance(values) if domain == "log" else values.clamp(min=0) ** (1 / GAMMA)


class ClipRow(NamedTuple):
    """A finished clip.

    Attributes:
        clip: Its name.
        num_frames: Its length.
        totals: Sums over the clip, which add up over clips.
    """

    clip: str
    num_frames: int
    totals: tuple[float, ...]


class SequenceMetric(BaseSampleWiseMetric):
    """Base of metrics that see the frames of clips in order, and hold no more than they need of them.

    The data samples must tell `clip` (a name), `frame` (0-based), `num_frames` and `fps`; predictions and ground
    truth are (C, H, W) of the same range. One clip ends before the next begins. In distributed evaluation a clip
    stays on one rank (`ClipSampler`).

    A subclass says what happens in `start_clip`, `update` and `finish_clip`, and turns a clip's sums into its
    value in `value`.

    Args:
        domain: In what values are compared: 'linear' (as they come), 'log' (natural, of v + 1/255) or 'gamma'
            (v^(1/2.2)), both for linear radiance; or 'ab', the colour channels of CIE Lab over 110.
        mask: None: every pixel counts; 'saturated': as much as it is saturated in the ground truth,
            `functional.saturation_mask`, where 1 in `gt_key` is where the sensor saturates.
        threshold: Of that mask.
        reduction: 'mean' over the clips' values, or 'pooled': one value of the sums over all clips.
        per_clip: Report every clip as `<name>/<clip>` too.
        kwargs: Of `BaseSampleWiseMetric`.

    Raises:
        ValueError: For unknown options; in evaluation, if a frame is missing, comes out of order, or differs in
            size or rate: the message names clip and frame.
    """

    def __init__(
        self,
        domain: str = "linear",
        mask: str | None = None,
        threshold: float = SATURATION_THRESHOLD,
        reduction: str = "mean",
        per_clip: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        choices = dict(domain=(domain, DOMAINS), mask=(mask, (None, "saturated")))
        choices["reduction"] = (reduction, ("mean", "pooled"))
        for name, (value, allowed) in choices.items():
            if value not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {value!r}")
        self.domain, self.mask, self.threshold = domain, mask, threshold
        self.reduction, self.per_clip = reduction, per_clip
        self._open: tuple[str, int, float, tuple[int, ...]] | None = None  # clip, num_frames, fps, shape
        self._next = 0

    def start_clip(self, fps: float, num_frames: int) -> None:
        """Begins a clip of this frame rate and length."""

    def update(self, gt: Tensor, pred: Tensor, mask: Tensor | None) -> None:
        """Takes the next frame, (C, H, W) float32 in the metric's domain; `mask` is (1, H, W) or None."""
        raise NotImplementedError

    def finish_clip(self) -> tuple[float, ...] | None:
        """The clip's sums; None if it has nothing to measure, and is to be skipped."""
        raise NotImplementedError

    def value(self, totals: tuple[float, ...]) -> float:
        """The metric of a clip's, or of all clips', sums."""
        raise NotImplementedError

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Takes the frames of a batch, in order."""
        for sample in data_samples:
            gt, pred = _image(sample, self.gt_key), _image(sample["output"], self.pred_key)
            mask = saturation_mask(gt, self.threshold) if self.mask else None
            gt, pred = to_domain(gt, self.domain), to_domain(pred, self.domain)
            clip, frame = self._check_order(sample, gt, pred)
            if not torch.isfinite(pred).all():
                raise ValueError(f"clip {clip!r}, frame {frame}: the prediction holds NaN or infinite values")
            self.update(gt, pred, mask)
            self._next += 1
            if self._next == sample["num_frames"]:
                self._finish(clip, self._next)

    def _check_order(self, sample: dict, gt: Tensor, pred: Tensor) -> tuple[str, int]:
        missing = [key for key in ("clip", "frame", "num_frames", "fps") if key not in sample]
        if missing:
            raise ValueError(
                f"{type(self).__name__} needs {missing} in the data sample: add them to the dataset's items, and "
                "pack them with PackInputs(meta_keys=['clip', 'frame', 'num_frames', 'fps'])"
            )
        clip, frame, now = sample["clip"], sample["frame"], (sample["clip"], sample["num_frames"], sample["fps"])
        where = f"clip {clip!r}, frame {frame}"
        if gt.shape != pred.shape:
            raise ValueError(f"{where}: ground truth {tuple(gt.shape)} and prediction {tuple(pred.shape)} differ")
        if self._open is None:
            self._next = 0
            self._open = (*now, tuple(gt.shape))
            self.start_clip(float(sample["fps"]), int(sample["num_frames"]))
        name, _, _, shape = self._open
        if name != clip:
            raise ValueError(f"{where} came while clip {name!r} still lacks frame {self._next}")
        if frame != self._next:
            raise ValueError(f"{where} came where frame {self._next} was expected")
        if self._open[:3] != now:
            raise ValueError(f"{where}: num_frames and fps are {now[1:]}, before they were {self._open[1:3]}")
        if shape != tuple(gt.shape):
            raise ValueError(f"{where} has shape {tuple(gt.shape)}, the frames before it {shape}")
        return clip, frame

    def _finish(self, clip: str, num_frames: int) -> None:
        totals = self.finish_clip()
        self._open = None
        if totals is None:
            print_log(f"{self.metric}: clip {clip!r} skipped, no pixel of it is saturated", "current")
        else:
            self.results.append(ClipRow(clip, num_frames, totals))

    def evaluate(self) -> dict[str, float]:
        """The set's value, and every clip's with `per_clip`, over all ranks."""
        if self._open is not None:
            raise ValueError(f"clip {self._open[0]!r} ends without frame {self._next} of {self._open[1]}")
        rows = sorted(row for part in all_gather_object(self.results) for row in part)
        self.results.clear()
        return {f"{self.prefix}/{name}" if self.prefix else name: v for name, v in self.compute_metrics(rows).items()}

    def compute_metrics(self, rows: list[ClipRow]) -> dict[str, float]:
        """Clips' rows to named values; nan if there is no clip to measure."""
        values = {row.clip: self.value(row.totals) for row in rows}
        if not rows:
            result = math.nan
        elif self.reduction == "pooled":
            result = self.value(tuple(sum(column) for column in zip(*(row.totals for row in rows))))
        else:
            result = sum(values.values()) / len(values)
        scaled = {self.metric: result * self.scaling}
        if self.per_clip:
            scaled |= {f"{self.metric}/{clip}": value * self.scaling for clip, value in values.items()}
        return scaled


def _image(sample: dict, key: str) -> Tensor:
    if key not in sample:
        raise ValueError(f"the data sample holds no {key!r}, only {sorted(sample)}")
    return torch.as_tensor(sample[key]).float().cpu()
