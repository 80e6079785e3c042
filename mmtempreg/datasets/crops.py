"""MMagic's crops of a fixed size, which are silently smaller where the image is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def check_crops(pipeline: Any, size: Sequence[int], name: str) -> None:
    """Checks that an image holds the crops of a pipeline's first steps.

    Args:
        pipeline: MMEngine's `Compose`.
        size: (height, width) of the image that comes into it.
        name: Of the image.

    Raises:
        ValueError: If a `FixedCrop` is larger than the image, which MMagic would make smaller without a word.
    """
    for step in pipeline.transforms:
        if type(step).__name__ != "FixedCrop":
            return  # others may change the size
        if step.crop_size[0] > size[0] or step.crop_size[1] > size[1]:
            height, width = step.crop_size
            raise ValueError(f"{name} is {size[1]}x{size[0]}: smaller than the crop of {width}x{height} pixels")
