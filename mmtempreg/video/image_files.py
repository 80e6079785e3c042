"""Image files of any depth, as RGB arrays."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..utils.atomic_write import replace_when_written

os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")  # read when OpenCV is imported
import cv2
from PIL import Image

from .orientation import EXIF, Orientation

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp", ".jp2", ".ppm", ".pgm", ".hdr", ".exr")
HDR_SUFFIXES = (".hdr", ".exr")


NEGATIVE_TOLERANCE = 0.05
"""Negative radiance down to this part of the mean is a trace of lossy compression or resampling, and clipped."""

JPEG_SUFFIXES = (".jpg", ".jpeg")
EXIF_SUFFIXES = (*JPEG_SUFFIXES, ".png", ".webp")


def read_image(path: str | Path) -> np.ndarray:
    """An image as (H, W, 3) RGB: uint8 or uint16 as stored, or float32 linear radiance (.hdr, .exr).

    Grey images get three equal channels; an alpha channel is dropped. It is turned as its EXIF data say.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no image that can be read (a JPEG that is cut off, of which OpenCV paints the rest grey),
            or holds another type of numbers, or NaN, infinite or negative radiance (beyond `NEGATIVE_TOLERANCE`).
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no image {path}")
    if path.suffix.lower() in JPEG_SUFFIXES and not _is_whole_jpeg(path.read_bytes()):
        raise ValueError(f"{path} cannot be read as an image: it is cut off, or no JPEG")
    try:
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        hint = " (set OPENCV_IO_ENABLE_OPENEXR=1 before cv2 is imported)" if "OPENEXR" in str(error) else ""
        raise ValueError(f"{path} cannot be read as an image: {' '.join(str(error).split())}{hint}") from error
    if image is None:
        if path.suffix.lower() == ".exr" and "OpenEXR: NO" in " ".join(cv2.getBuildInformation().split()):
            raise ValueError(f"{path}: this OpenCV ({cv2.__version__}) reads no OpenEXR: pip install 'opencv-python<5'")
        raise ValueError(f"{path} cannot be read as an image: it is damaged, or of another kind")
    if image.dtype == np.float64:
        image = image.astype(np.float32)
    if image.dtype not in (np.uint8, np.uint16, np.float32):
        raise ValueError(f"{path} holds {image.dtype}; 8 or 16 bits, or floating point, can be read")
    if image.dtype == np.float32:
        image = _checked_radiance(path, image)
    if image.ndim == 2 or image.shape[2] == 1:
        return _orientation(path).apply(np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2))
    return _orientation(path).apply(image[:, :, 2::-1])


def _orientation(path: Path) -> Orientation:
    """What the camera has noted; OpenCV follows it only where it gives up depth and alpha for it."""
    if path.suffix.lower() not in EXIF_SUFFIXES:
        return Orientation()
    with Image.open(path) as image:
        return EXIF.get(image.getexif().get(0x0112, 1), Orientation())


def _is_whole_jpeg(data: bytes) -> bool:
    """Whether the end of the image comes after the begin of its last scan."""
    return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") >= 0


def _checked_radiance(path: Path, image: np.ndarray) -> np.ndarray:
    if not np.isfinite(image).all():
        raise ValueError(f"{path} holds NaN or infinite radiance: repair the image or remove it")
    if image.min() < -NEGATIVE_TOLERANCE * image.mean():
        raise ValueError(f"{path} holds negative radiance ({image.min():.3g}): clip it at 0 if that is what you want")
    return np.maximum(image, 0)


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
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if path.suffix.lower() in JPEG_SUFFIXES else []
    with replace_when_written(path) as partial:
        if not cv2.imwrite(str(partial), image[:, :, ::-1], options):
            raise OSError(f"{path} cannot be written")
