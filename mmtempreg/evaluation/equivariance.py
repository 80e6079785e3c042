"""Equivariance of a network on still images: does f(T(x)) equal T(f(x))? No video is needed to ask."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from mmagic.registry import METRICS
from torch import Tensor

from ..functional import Motion, bring, pixel_grid
from ..functional.motion import seen
from ..meters import EquivarianceMeter
from ..transforms import DrawnTransform, RandomAffine, RandomTransform, draw_generator
from ..utils.validation import Whole, check_arguments
from .sequence_metric import SequenceMetric

KINDS: dict[str, dict[str, Any]] = {
    "EQ-T": dict(rotate=0, zoom=0, shear=0),
    "EQ-R": dict(translate=0, zoom=0, shear=0),
    "EQ": {},
}
"""Motion that EQ is measured under: translation and rotation alone as in StyleGAN3, and all of the paper's Table 1."""


def transforms_of(kind: str) -> RandomTransform:
    """Random transform of a kind of EQ, within the ranges of Table 1 (2 pixels, 1 degree, 3 %)."""
    return RandomAffine(**KINDS[kind])


def move(image: Tensor, drawn: DrawnTransform) -> tuple[Tensor, Tensor]:
    """T of one image or of a prediction of another resolution, by Lanczos interpolation, which hardly blurs.

    Args:
        image: (C, h, w).
        drawn: T of one image.

    Returns:
        The moved image, and (1, h, w): 1 where all that was read lies inside.
    """
    shape = (image.shape[-2], image.shape[-1])
    points = drawn.map_points(pixel_grid(shape, drawn.size))
    points = points[0] if points.ndim == 4 else points
    scale = points.new_tensor([shape[1] / drawn.size[1], shape[0] / drawn.size[0]])
    flow = (points + 0.5) * scale - 0.5 - pixel_grid(shape, shape)
    motion = Motion(flow.permute(2, 0, 1).float(), torch.ones(1, *shape))
    return bring(image.float(), motion), seen(motion)


def measure_equivariance(
    predict: Callable[[Tensor], Tensor],
    image: Tensor,
    meters: Mapping[str, EquivarianceMeter],
    *,
    number: int = 0,
    num_transforms: int = 4,
) -> None:
    """Adds one image to a meter for each kind of `KINDS`.

    Args:
        predict: (3, H, W) to (C, sH, sW), in the domain in which predictions are compared.
        image: What the network sees, display values in [0, 1]; moved images are clipped to that.
        meters: Kind -> meter, whose peak is the domain's.
        number: Number of the image: T is a function of it.
        num_transforms: T of each kind.
    """
    prediction = predict(image)
    for index, (kind, meter) in enumerate(meters.items()):
        generator, pair = draw_generator(number, index), transforms_of(kind)
        for _ in range(num_transforms):
            drawn = pair.sample(image.unsqueeze(0), generator)
            moved, _ = move(image, drawn)
            expected, valid = move(prediction, drawn)
            meter.update(predict(moved.clamp(0, 1)), expected, valid)


@METRICS.register_module()
class ImageEquivariance(SequenceMetric):
    """EQ in dB of the frames of test clips, each as a still: PSNR between f(T(x)) and T(f(x)), T as in Table 1.

    The model runs once more on each frame that counts. Predictions are compared in the metric's domain, with its peak,
    and where `mask` of the moved truth says.

    Args:
        every: Only every n-th frame of a clip counts.
        kwargs: Arguments of `SequenceMetric`.
    """

    meter = EquivarianceMeter

    @check_arguments
    def __init__(self, every: Whole = 12, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.every = every

    def prepare(self, module: Any, dataloader: Any) -> None:
        """Called by the evaluator: keeps the model."""
        super().prepare(module, dataloader)
        self._model = module

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Takes the frames of a batch, in order."""
        for number in range(len(data_samples)):
            self._frame = data_batch["inputs"][number], data_batch["data_samples"][number]
            super().process(data_batch, data_samples[number : number + 1])

    def update(self, sample: dict, pred: Tensor, target: Tensor, mask: Tensor | None) -> None:
        """Runs the model on T(x), and compares with T of its prediction."""
        if self._next % self.every:
            return
        image, about = self._frame
        drawn = transforms_of("EQ").sample(image.unsqueeze(0), draw_generator(self._next, len(self.results)))
        moved, _ = move(image, drawn)
        batch = dict(inputs=[moved.clamp(0, 255)], data_samples=[copy.deepcopy(about)])
        with torch.no_grad():
            (result,) = self._model.test_step(batch)
        again = self._view(torch.as_tensor(result.to_dict()["output"][self.pred_key]).float().cpu())
        expected, valid = move(pred, drawn)
        weight = valid if mask is None else valid * move(mask, drawn)[0].clamp(0, 1)
        self._meter.update(again, expected, weight)
