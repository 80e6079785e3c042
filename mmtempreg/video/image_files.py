"""Image files of any depth, as RGB arrays."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..atomic_write import replace_when_written

os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")  # read when OpenCV is imported
import cv2

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".hdr", ".exr")
HDR_SUFFIXES = (".hdr", ".exr")


def read_image(path: str | Path) -> np.ndarray:
    """An image as (H, W, 3) RGB: uint8 or uint16 as stored, or float32 linear radiance (.hdr, .exr).

    Grey images get three equal channels; an alpha channel is dropped.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no image that can be read, or holds another type of numbers.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no image {path}")
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError(f"{path} cannot be read as an image: it is damaged, or of another kind")
    if image.dtype == np.float64:
        image = image.astype(np.float32)
    if image.dtype not in (np.uint8, np.uint16, np.float32):
        raise ValueError(f"{path} holds {image.dtype}; 8 or 16 bits, or floating point, can be read")
    if image.ndim == 2 or image.shape[2] == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return np.ascontiguousarray(image[:, :, 2::-1])


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Writes (H, W, 3) RGB: uint8 or uint16 to .png, .tif and the like, float32 radiance to .hdr or .exr.

    Raises:
        ValueError: If the format cannot hold these numbers.
        OSError: If it cannot be written; nothing is left then under this name.
    """
    path = Path(path)
    if (image.dtype == np.float32) != (path.suffix.lower() in HDR_SUFFIXES):
        raise ValueError(
            f"{path}: {image.dtype} does not fit {path.suffix}: radiance goes to .hdr or .exr, and only that"
        )
    if image.dtype == np.uint16 and path.suffix.lower() not in (".png", ".tif", ".tiff"):
        raise ValueError(f"{path}: 16 bits go to .png or .tif")
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if path.suffix.lower() in (".jpg", ".jpeg") else []
    with replace_when_written(path) as partial:
        if not cv2.imwrite(str(partial), image[:, :, ::-1], options):
            raise OSError(f"{path} cannot be written")
