"""Image files of any depth, as RGB arrays, with what they say beside."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from ..utils.atomic_write import replace_when_written
from ..utils.claims import check_input
from .color_profile import is_rgb, other_than_srgb
from .frames import Metadata
from .orientation import EXIF, Orientation
from .radiance_files import read_exr, read_radiance_hdr, write_exr
from .tiff_files import MAGIC as TIFF_MAGIC
from .tiff_files import count_tiff_pages, tiff_pages, write_tiff

HDR_SUFFIXES = (".hdr", ".exr")
TIFF_SUFFIXES = (".tif", ".tiff")
DEEP_SUFFIXES = (".png", *TIFF_SUFFIXES)
"""Suffixes of kinds that hold 16 bits."""
ALPHA_SUFFIXES = (".png", ".webp", *TIFF_SUFFIXES)
JPEG_SUFFIXES = (".jpg", ".jpeg")
METADATA_SUFFIXES = (*ALPHA_SUFFIXES, *JPEG_SUFFIXES)

NEGATIVE_TOLERANCE = 0.05
"""Negative radiance down to this part of the mean is a trace of lossy compression or resampling, and clipped."""

ORIENTATION = 0x0112
"""EXIF's tag."""

PORTABLE_MAP = re.compile(rb"P[2356]" + 2 * rb"\s+(?:#[^\n]*\s+)*\d+" + rb"\s+(?:#[^\n]*\s+)*(\d+)")
"""Header of a .ppm or .pgm; its last number is white, which OpenCV does not scale by."""

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class Picture(NamedTuple):
    """One picture of an image file.

    Attributes:
        color: (H, W, 3) RGB: uint8 or uint16 as stored, or float32 linear radiance.
        alpha: (H, W) opacity of the same type, which colours are not multiplied by; None: it is opaque.
        metadata: What is to be kept beside the pixels.
        notes: What was left out or taken otherwise, each a sentence without its subject, which is the file.
        duration: Seconds that it is shown, of an animation.
    """

    color: np.ndarray
    alpha: np.ndarray | None = None
    metadata: Metadata = Metadata()
    notes: tuple[str, ...] = ()
    duration: Fraction | None = None


def read_image(path: str | Path) -> np.ndarray:
    """The colours of an image as (H, W, 3) RGB: `read_picture(path).color`."""
    return read_picture(path).color


def read_picture(path: str | Path) -> Picture:
    """An image, turned as its EXIF data or header say. Grey images get three equal channels.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is a pipe, no image that can be read (a JPEG that is cut off, of which OpenCV paints the rest
            grey), or holds several, another type of numbers, or NaN, infinite or negative radiance (beyond
            `NEGATIVE_TOLERANCE`).
    """
    if (count := pages(check_input(path))) > 1:
        raise ValueError(
            f"{path} holds {count} pictures, and one is needed: open it alone, as a video, or save them one by one"
        )
    return next(read_pages(path))


def pages(path: str | Path) -> int:
    """Number of pictures in a file; 1 if that cannot be told."""
    try:
        if Path(path).suffix.lower() in TIFF_SUFFIXES:
            return count_tiff_pages(Path(path))
        with Image.open(path) as image:
            # of photographs the others are previews, depth or a gain map
            return 1 if image.format in ("JPEG", "MPO") else getattr(image, "n_frames", 1)
    except Exception:
        return 1


def is_animated_png(path: str | Path) -> bool:
    """True if it holds several frames: FFmpeg reads these."""
    with open(path, "rb") as file:
        return file.read(8) == PNG_SIGNATURE and pages(path) > 1


def read_pages(path: str | Path) -> Iterator[Picture]:
    """Each picture of a file; see `read_picture`."""
    path = check_input(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no image {path}")
    data = path.read_bytes()
    if data[:4] == b"v/1\x01" or data[:2] == b"#?":
        color, notes = read_exr(path) if data[:2] == b"v/" else read_radiance_hdr(path, data)
        yield Picture(_checked_radiance(path, color), notes=tuple(notes))
    elif data[:4] in TIFF_MAGIC:
        for color, alpha, page in tiff_pages(path, data):
            upright = EXIF.get(int(page.tags.valueof(274, 1)), Orientation())
            metadata, notes = _profile(page.iccprofile or b"")
            yield _checked(path, color, alpha, upright, metadata, notes)
    else:
        try:
            yield from _plain_images(path, data)
        except (OSError, EOFError) as error:  # Pillow's, which does not name the file
            raise ValueError(f"{path} cannot be read as an image: {error}") from error


def _plain_images(path: Path, data: bytes) -> Iterator[Picture]:
    """Reads the kinds that OpenCV decodes; animations, AVIF and GIF by Pillow."""
    if data[:2] == b"\xff\xd8" and not _is_whole_jpeg(data):
        raise ValueError(f"{path} cannot be read as an image: it is cut off")
    try:
        image: Any = Image.open(BytesIO(data))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError):
        yield _checked(path, *_decode(path, data), Orientation(), Metadata(), [])
        return
    exif = image.getexif()
    upright = EXIF.get(exif.get(ORIENTATION, 1), Orientation())
    if exif:
        exif[ORIENTATION] = 1
    metadata, notes = _profile(image.info.get("icc_profile") or b"")
    metadata = metadata._replace(exif=exif.tobytes() if exif else b"")
    if image.format == "PNG":
        notes += _check_png(path, data)
    if image.format == "MPO" or (image.format == "JPEG" and data.rstrip(b"\0")[-2:] != b"\xff\xd9"):
        notes.append("holds more than the picture (previews, depth, a gain map, a film), which is left out")
    if image.format == "AVIF" and _is_deep_avif(data):
        notes.append("has more than 8 bits, of which 8 are read")
    several = image.format not in ("JPEG", "MPO") and getattr(image, "n_frames", 1) > 1
    if not several and image.format not in ("AVIF", "GIF"):
        yield _checked(path, *_decode(path, data), upright, metadata, notes)
        return
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        pixels = np.asarray(image.convert("RGBA"))
        picture = _checked(path, pixels[..., :3], pixels[..., 3], upright, metadata, notes)
        yield picture._replace(duration=Fraction(int(image.info.get("duration", 0)), 1000))


def _decode(path: Path, data: bytes) -> tuple[np.ndarray, np.ndarray | None]:
    """Colour and alpha as OpenCV reads them."""
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(f"{path} cannot be read as an image: {' '.join(str(error).split())}") from error
    if image is None:
        raise ValueError(f"{path} cannot be read as an image: it is damaged, or of another kind")
    if image.ndim == 2 or image.shape[2] == 1:
        image = np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    header = PORTABLE_MAP.match(data)
    if header and int(header[1]) not in (255, 65535):
        limit = 65535 if image.dtype == np.uint16 else 255
        image = np.rint(image * (limit / int(header[1]))).clip(0, limit).astype(image.dtype)
    return image[:, :, 2::-1], image[:, :, 3] if image.shape[2] == 4 else None


def _checked(
    path: Path,
    color: np.ndarray,
    alpha: np.ndarray | None,
    upright: Orientation,
    metadata: Metadata,
    notes: list[str],
) -> Picture:
    if color.dtype in (np.float16, np.float64):
        color = color.astype(np.float32)
    if color.dtype not in (np.uint8, np.uint16, np.float32):
        raise ValueError(f"{path} holds {color.dtype}; 8 or 16 bits, or floating point, can be read")
    if color.dtype == np.float32:
        color = _checked_radiance(path, color)
        if alpha is not None:
            alpha, notes = None, [*notes, "has an alpha channel beside its radiance, which is left out"]
    if alpha is not None:
        alpha = upright.apply(alpha)
    return Picture(upright.apply(color), alpha, metadata, tuple(notes))


def _profile(icc: bytes) -> tuple[Metadata, list[str]]:
    """The part of an ICC profile that is kept, and a note on it."""
    if not icc or not (name := other_than_srgb(icc)):
        return Metadata(icc), []
    if is_rgb(icc):
        return Metadata(icc), [
            f"has the colour profile {name}: its values are taken as they are, as if they were sRGB's"
        ]
    return Metadata(), [f"has the colour profile {name}, which is not of RGB: it is left out"]


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of what stands before the pixels."""
    at = len(PNG_SIGNATURE)
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IDAT":
            return
        yield kind, data[at + 8 : at + 8 + length]
        at += length + 12


def _check_png(path: Path, data: bytes) -> list[str]:
    """Notes values that are not those of sRGB; refuses high dynamic range."""
    chunks = dict(_png_chunks(data))
    if chunks.get(b"cICP", b"\0\0")[1] in (16, 18):
        raise ValueError(f"{path} is of high dynamic range (PQ or HLG), and would look washed out: convert it first")
    gamma = chunks.get(b"gAMA", b"")
    if len(gamma) == 4 and not {b"sRGB", b"iCCP"} & set(chunks):
        (value,) = struct.unpack(">I", gamma)
        if value and abs(value / 45455 - 1) > 0.02:
            return [f"says a gamma of {1e5 / value:.3g}: its values are taken as they are, as if they were sRGB's"]
    return []


def _is_deep_avif(data: bytes) -> bool:
    """True if its configuration of AV1 says high_bitdepth."""
    at = data.find(b"av1C")
    return at >= 0 and bool(data[at + 6] & 0x40)


def _is_whole_jpeg(data: bytes) -> bool:
    """True if the end of the image comes after the beginning of its last scan."""
    return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") >= 0


def _checked_radiance(path: Path, image: np.ndarray) -> np.ndarray:
    if not np.isfinite(image).all():
        raise ValueError(f"{path} holds NaN or infinite radiance: repair the image or remove it")
    if image.min() < -NEGATIVE_TOLERANCE * image.mean():
        raise ValueError(f"{path} holds negative radiance ({image.min():.3g}): clip it at 0 if that is what you want")
    return np.maximum(image, 0)


def write_image(
    path: str | Path, image: np.ndarray, alpha: np.ndarray | None = None, *, metadata: Metadata = Metadata()
) -> None:
    """Writes (H, W, 3) RGB: uint8 or uint16 to .png, .tif and the like, float32 radiance to .hdr or .exr.

    Args:
        path: The file.
        image: Its colours.
        alpha: (H, W) opacity, for the kinds `ALPHA_SUFFIXES`; others drop it.
        metadata: For the kinds `METADATA_SUFFIXES`; others drop it, and TIFF its EXIF data.

    Raises:
        ValueError: If the format cannot hold these numbers.
        OSError: If it cannot be written; nothing is left then under this name.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if (image.dtype == np.float32) != (suffix in HDR_SUFFIXES):
        raise ValueError(
            f"{path}: {image.dtype} does not fit {path.suffix}: radiance goes to .hdr or .exr, and only that"
        )
    if image.dtype == np.uint16 and suffix not in DEEP_SUFFIXES:
        raise ValueError(f"{path}: 16 bits go to .png or .tif")
    alpha = alpha if suffix in ALPHA_SUFFIXES else None
    with replace_when_written(path) as partial:
        if suffix == ".exr":
            write_exr(partial, image)
        elif suffix in TIFF_SUFFIXES:
            write_tiff(partial, image, alpha, icc=metadata.icc)
        elif suffix in (*JPEG_SUFFIXES, ".webp") and any(metadata):
            options: dict[str, Any] = dict(quality=95) if suffix != ".webp" else dict(lossless=True, exact=True)
            pixels = image if alpha is None else np.dstack([image, alpha])
            Image.fromarray(pixels).save(partial, icc_profile=metadata.icc or None, exif=metadata.exif, **options)
        else:
            partial.write_bytes(_encoded(path, image, alpha, metadata))


def _encoded(path: Path, image: np.ndarray, alpha: np.ndarray | None, metadata: Metadata) -> bytes:
    """Encodes an image with OpenCV; a PNG with its metadata."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if path.suffix.lower() in JPEG_SUFFIXES else []
    pixels = image[:, :, ::-1] if alpha is None else np.dstack([image[:, :, ::-1], alpha])
    written, encoded = cv2.imencode(path.suffix, pixels, options)
    if not written:
        raise OSError(f"{path} cannot be written")
    data = encoded.tobytes()
    if path.suffix.lower() != ".png":
        return data
    end = len(PNG_SIGNATURE) + 25  # of the header
    chunks = []
    if metadata.icc:
        chunks.append(b"iCCP" + b"ICC profile\0\0" + zlib.compress(metadata.icc))
    if metadata.exif:
        chunks.append(b"eXIf" + metadata.exif.removeprefix(b"Exif\0\0"))
    extra = b"".join(struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return data[:end] + extra + data[end:]
