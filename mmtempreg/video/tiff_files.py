"""TIFF files of any depth and number of pages.

Pillow reads pages of up to 8 bits. Of deeper ones tifffile reads what it has a codec for, and OpenCV the rest where it
is right: it takes planes for pixels, white for black, and 16 bits of grey and alpha for 8.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import tifffile
from PIL import Image

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def tiff_pages(path: Path, data: bytes) -> Iterator[tuple[np.ndarray, np.ndarray | None, tifffile.TiffPage]]:
    """Colour (H, W, 3), alpha (H, W), if there is one, and header of each page that is no thumbnail.

    Raises:
        ValueError: If a page cannot be read, with the reason.
    """
    try:
        with tifffile.TiffFile(BytesIO(data)) as file:
            for index, entry in enumerate(file.pages):
                page = entry.aspage()
                if not page.is_reduced:
                    yield *_read(path, data, page, index), page
    except (tifffile.TiffFileError, OSError, KeyError) as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from error


def count_tiff_pages(path: Path) -> int:
    """Counts the pages of a TIFF file."""
    with tifffile.TiffFile(path) as file:
        return sum(not page.aspage().is_reduced for page in file.pages)


def _read(path: Path, data: bytes, page: tifffile.TiffPage, index: int) -> tuple[np.ndarray, np.ndarray | None]:
    if page.bitspersample <= 8 and page.sampleformat == 1:
        with Image.open(BytesIO(data)) as image:
            image.seek(index)
            has_alpha = image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info
            pixels = np.asarray(image.convert("RGBA" if has_alpha else "RGB"))
            return pixels[..., :3], pixels[..., 3] if has_alpha else None
    kind = tifffile.PHOTOMETRIC(page.photometric).name
    try:
        if kind not in ("RGB", "MINISBLACK", "MINISWHITE"):
            raise ValueError(f"colours are {kind}")
        pixels = page.asarray()
        pixels = pixels.transpose(1, 2, 0) if page.axes == "SYX" else pixels
    except ValueError as error:  # of a compression that tifffile has no codec for
        if page.planarconfig != 1 or page.extrasamples or kind == "MINISWHITE":
            raise ValueError(f"{path} cannot be read right ({error}): save it without compression") from error
        found, decoded = cv2.imdecodemulti(
            np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED, None, (index, index + 1)
        )
        if not found:
            raise ValueError(f"{path} cannot be read as an image: it is damaged, or of another kind") from error
        pixels = decoded[0] if decoded[0].ndim == 2 else decoded[0][..., 2::-1]
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if kind == "MINISWHITE":
        pixels = np.iinfo(pixels.dtype).max - pixels
    channels = 3 if kind == "RGB" else 1
    color = np.repeat(pixels[..., :channels], 3 // channels, axis=-1)
    if not page.extrasamples or page.extrasamples[0] == 0:  # which say nothing of what they are
        return color, None
    alpha = pixels[..., channels]
    if page.extrasamples[0] == 1 and color.dtype.kind == "u":  # multiplied by it
        limit = np.iinfo(color.dtype).max
        color = np.rint(color / np.maximum(alpha, 1)[..., None] * limit).clip(0, limit).astype(color.dtype)
    return color, alpha


def write_tiff(path: Path, image: np.ndarray, alpha: np.ndarray | None, *, icc: bytes) -> None:
    """Writes (H, W, 3) RGB, with its alpha and ICC profile if there are."""
    pixels = image if alpha is None else np.dstack([image, alpha])
    extra = None if alpha is None else ["unassalpha"]
    tifffile.imwrite(
        path, pixels, photometric="rgb", compression="zlib", extrasamples=extra, iccprofile=icc or None, metadata=None
    )
