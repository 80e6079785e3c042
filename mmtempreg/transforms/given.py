"""T that the data pipeline has drawn already, with what the network sees of the moved scene."""

from __future__ import annotations

from typing import Any

import torch
from mmagic.registry import MODELS
from torch import Tensor

from ..utils.validation import Pixels, check_arguments
from .base import DrawnTransform, ImageRange, RandomTransform
from .shift import Shift


@MODELS.register_module()
class GivenShift(RandomTransform):
    """T is a shift, and T(x) a second photograph of the shifted scene, both from the data pipeline (`PhotographTwice`).

    A camera does not move its photograph, it photographs what has moved: aliasing, noise and compression are others in
    the next frame, and that is what many networks flicker with. The batch's data samples hold the second photograph,
    `moved_img`, and in their metainfo the offset, `moved_by`: (x, y) in pixels of the input.

    Args:
        margin: Pixels of the input along the border of both photographs that do not count: a network sees an end of the
            world there, which does not move.

    Example:
        >>> from mmagic.structures import DataSample
        >>> batch = DataSample(moved_img=torch.rand(2, 3, 8, 8), metainfo=dict(moved_by=[(1, 0), (0, 2)]))
        >>> moved, drawn = GivenShift().for_batch(batch)
        >>> drawn.offset.tolist()
        [[1.0, 0.0], [0.0, 2.0]]
    """

    padding_mode = "zeros"
    pictures = ("moved_img",)

    @check_arguments
    def __init__(self, margin: Pixels = 1.0) -> None:
        self.margin = margin

    def for_batch(self, data_samples: Any) -> tuple[Tensor, Shift]:
        """The second photographs (N, C, H, W), as the data preprocessor leaves them, and T.

        Raises:
            ValueError: If the data pipeline has not made them.
        """
        if data_samples is None or "moved_img" not in data_samples or "moved_by" not in data_samples.metainfo:
            raise ValueError(
                "GivenShift needs a data pipeline with PhotographTwice, and "
                "PackInputs(data_keys=['moved_img'], meta_keys=['moved_by', 'moved_img_channel_order'])"
            )
        moved = data_samples.moved_img
        offset = torch.as_tensor(data_samples.metainfo["moved_by"], dtype=torch.float64).view(len(moved), 2)
        return moved, Shift(offset, (moved.shape[-2], moved.shape[-1]), margin=self.margin)

    def sample(
        self, x: Tensor, generator: torch.Generator | None = None, image_range: ImageRange = ImageRange()
    ) -> DrawnTransform:
        """T is in the batch, and not drawn: raises ValueError."""
        raise ValueError("GivenShift draws nothing: its T comes with the batch. It cannot be composed or repeated")
