"""Does a network's prediction move with the picture? From a folder of images."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..evaluation.equivariance import KINDS, measure_equivariance
from ..functional import white_of
from ..meters import DOMAINS, EquivarianceMeter
from ..meters.domains import MAX_RADIANCE
from ..utils.choices import IMAGE_SUFFIXES
from ..utils.claims import check_input
from ..utils.validation import Repeats, Whole, check_arguments
from ..video.image_files import read_image
from .frame_model import FrameModel


def find_images(folder: str | Path) -> list[Path]:
    """The images of display values in a folder and those in it, in the order of their names; hidden ones are not.

    Raises:
        FileNotFoundError: If there is no such folder, or no image in it.
        ValueError: If one of them is a pipe.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    found = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    hidden = (any(part.startswith(".") for part in path.relative_to(folder).parts) for path in found)
    files = [check_input(path) for path, is_hidden in zip(found, hidden) if not is_hidden]
    if not files:
        raise FileNotFoundError(f"{folder} holds no image ({', '.join(IMAGE_SUFFIXES)})")
    return files


@check_arguments
def measure_image_equivariance(
    model: FrameModel, files: Iterable[Path], *, crop: Whole = 256, num_transforms: Repeats = 4
) -> dict[str, float]:
    """EQ of each kind (`evaluation.equivariance.KINDS`) in dB, over all images.

    Args:
        model: Any single-image model.
        files: Images of display values.
        crop: Edge of the middle part of an image that is taken; smaller images are taken whole.
        num_transforms: T of each kind for each image; they are a function of the image's number.

    Raises:
        ValueError: If an option is out of range, or an image cannot be read, holds radiance, or is too small for the
            network: the message names it.
    """
    domain = DOMAINS["log" if model.radiance else "rgb"]
    meters = {kind: EquivarianceMeter(domain.peak(MAX_RADIANCE if model.radiance else 1.0)) for kind in KINDS}

    def predict(image: Tensor) -> Tensor:
        return domain.convert(model(image.unsqueeze(0))[0])

    for number, path in enumerate(files):
        image = _middle(read_display(path), crop)
        try:
            measure_equivariance(predict, image, meters, number=number, num_transforms=num_transforms)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    return {kind: meter.value(meter.finish()) for kind, meter in meters.items()}


def read_display(path: Path) -> Tensor:
    """An image of display values, (3, H, W) in [0, 1].

    Raises:
        ValueError: If it cannot be read or holds radiance: the message names it.
    """
    image = read_image(path)
    if image.dtype == np.float32:
        raise ValueError(f"{path}: it holds radiance; display values are needed")
    values = image.astype(np.float32) / white_of(image.dtype)
    return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


def _middle(image: Tensor, crop: int) -> Tensor:
    height, width = image.shape[-2:]
    top, left = max(height - crop, 0) // 2, max(width - crop, 0) // 2
    return image[:, top : top + crop, left : left + crop]
