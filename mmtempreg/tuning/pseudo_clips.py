"""Clips made of still images, and what they say of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..functional import Motion
from ..losses import SiameseOutputs
from ..losses.regularization import seen_in_all
from ..meters import (
    Clip,
    DetailMeter,
    EquivarianceMeter,
    FlickerMeter,
    Meter,
    PSNRMeter,
    ResidualMeter,
    SmoothnessMeter,
    Sums,
    add_sums,
)
from ..models.siamese import Regularizer
from ..models.siamese.families import FAMILIES
from ..transforms import Compose, RandomAffine, RandomElastic, RandomTransform
from ..transforms.path import FPS, motion_between


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Quality of a model on pseudo-clips, in the domain in which it is trained.

    Attributes:
        psnr: dB, with 1 as the peak: only differences mean something.
        smoothness: S.
        residual: R.
        flicker: F, from frame to frame along the exact motion.
        flickers: F of each clip.
        detail: K, to the truth.
        equivariance: EQ in dB between frames and the moved first frame, with 1 as the peak.
    """

    psnr: float
    smoothness: float
    residual: float
    flicker: float
    detail: float
    equivariance: float
    flickers: tuple[float, ...] = ()


class PseudoClipMeter(nn.Module):
    """Stands in for a regularisation loss, and measures the predictions of the frames that it is given."""

    MEASURES: Mapping[str, type[Meter]] = dict(
        psnr=PSNRMeter, smoothness=SmoothnessMeter, residual=ResidualMeter, flicker=FlickerMeter, detail=DetailMeter
    )

    def __init__(self) -> None:
        super().__init__()
        self.sums: dict[type[Meter], Sums] = {}
        self.flickers: list[float] = []
        self.equivariance = EquivarianceMeter()

    def forward(self, *outputs: SiameseOutputs) -> Tensor:
        """Takes the pseudo-clips of a batch: x and all T(x). Counts what all frames see, as the model weighs it."""
        first = outputs[0]
        truth = torch.stack([first.target, *(one.moved_target() for one in outputs)])
        prediction = torch.stack([first.f_x, *(one.f_tx for one in outputs)])
        seen = seen_in_all(outputs)
        weights = [seen * (1 if w is None else w) for w in (first.weight, *(one.moved_weight() for one in outputs))]
        mask = torch.stack([weight.expand_as(first.f_x) for weight in weights])
        drawn = [None, *(one.transform for one in outputs)]
        steps = [motion_between(now, then, first.transform.size) for then, now in pairwise(drawn)]
        for image in range(truth.shape[1]):
            clip, true_clip, counts = (part[:, image].cpu() for part in (prediction, truth, mask))
            self._measure(clip, true_clip, counts, [_resized(step[image], first.f_x) for step in steps])
        for one in outputs:
            weight, valid = one.moved_weight(), one.transform.valid(one.f_tx)
            valid = valid if weight is None else valid * weight
            self.equivariance.update(one.f_tx, one.transform.apply_output(one.f_x), valid.expand_as(one.f_tx))
        return prediction.new_zeros(())

    def _measure(self, prediction: Tensor, truth: Tensor, mask: Tensor, motions: Sequence[Motion]) -> None:
        """Adds a clip, (T, C, H, W) each, with the motion to all frames but the first."""
        about = Clip(FPS, len(prediction))
        meters = {kind: kind.of_clip(about) for kind in {meter.summed_by() for meter in self.MEASURES.values()}}
        for frame, (pred, target, weight) in enumerate(zip(prediction, truth, mask)):
            for meter in meters.values():
                meter.update(pred, target, weight, motions[frame - 1] if frame else None)
        for kind, meter in meters.items():
            sums = meter.finish()
            self.sums[kind] = add_sums(self.sums[kind], sums) if kind in self.sums else sums
            if kind is FlickerMeter.summed_by():
                self.flickers.append(FlickerMeter.value(sums))

    def quality(self) -> Quality:
        """The measures of all clips that were taken."""
        values = {name: meter.value(self.sums[meter.summed_by()]) for name, meter in self.MEASURES.items()}
        return Quality(
            **values, equivariance=EquivarianceMeter.value(self.equivariance.finish()), flickers=tuple(self.flickers)
        )


def _resized(motion: Motion, like: Tensor) -> Motion:
    """Motion of the network's input in pixels of its prediction, which may be larger or smaller."""
    size = (like.shape[-2], like.shape[-1])
    if motion.flow.shape[-2:] == size:
        return motion
    scale = motion.flow.new_tensor([size[1] / motion.flow.shape[-1], size[0] / motion.flow.shape[-2]])
    flow = F.interpolate(motion.flow[None], size, mode="bilinear")[0] * scale.view(2, 1, 1)
    return Motion(flow, F.interpolate(motion.visible[None], size, mode="nearest")[0])


def pseudo_clip_motion() -> RandomTransform:
    """Motion of the frames of a pseudo-clip, along `draw_wander`."""
    return Compose([RandomAffine(), RandomElastic(displacement=4)])


def measure_pseudo_clips(model: Any, batches: Sequence[dict], *, num_frames: int = 24, seed: int = 0) -> Quality:
    """F, K, PSNR, S and R over clips that a hand-held camera would make of still images of things that move.

    No video is needed: each image and its truth are moved along the same smooth random path (`draw_wander` with the
    ranges of the paper's Table 1 and 4 pixels of `RandomElastic`, 24 frames a second), and the model predicts each
    frame. Without local motion a network that was regularised with T looks better than it is: the clips would move as
    nothing but T does. Values are compared in the domain of the model's own loss, with its own weights.

    Args:
        model: A `SiameseEditModel` whose loss is computed by `forward(mode='loss')`.
        batches: What the data loader gives.
        num_frames: Length of each clip.
        seed: Seed of the paths: the same for every model that is to be compared.

    Raises:
        TypeError: If the model has its loss in its training step only.
    """
    if not getattr(model, "has_own_loss", False):
        known = ", ".join(name for names, family in FAMILIES if family.has_own_loss for name in names)
        raise TypeError(
            f"{type(model).__name__} cannot be measured on pseudo-clips: only wrapped {known} and their kin have a "
            "loss outside of their training step"
        )
    meter = PseudoClipMeter()
    clips = Regularizer(pseudo_clip_motion(), meter, seed=seed, num_transforms=num_frames - 1, motion="wander")
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for number, batch in enumerate(batches):
                with model.regularized_by(clips, iteration=number):
                    model(**model.data_preprocessor(batch, True), mode="loss")
    finally:
        model.train(training)
    return meter.quality()
