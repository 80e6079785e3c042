"""Images of linear radiance: OpenEXR and Radiance HDR.

OpenEXR's own library reads the first: OpenCV ignores where the data lie in the picture and the names of layers, and of
X, Y, Z takes Y for grey. OpenCV decodes the pixels of the second; it does not follow what the header says of axes and
exposure.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .orientation import Orientation

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Luminance of BT.709's red, green and blue."""

BT709 = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329)


def read_exr(path: Path) -> tuple[np.ndarray, list[str]]:
    """(H, W, 3) float32 of an OpenEXR file's display window, and what was left out.

    Black is where no data lie. Of several layers the one without a name counts, or the only one that has a colour.

    Raises:
        ValueError: If it cannot be read, or which channels are the colour cannot be told.
    """
    import OpenEXR

    try:
        with OpenEXR.File(os.fsencode(path), separate_channels=True) as file:
            found = [(part, layer) for part in file.parts for layer in _layers(part.channels)]
            unnamed = [(part, layer) for part, layer in found if not layer]
            if not found or (len(found) > 1 and not unnamed):
                names = sorted(f"{part.name()}:{n}".lstrip(":") for part in file.parts for n in part.channels)
                raise ValueError(
                    f"{path} holds the channels {', '.join(names[:12])}: which of them are the colour cannot be told. "
                    "R, G, B (of one layer) or Y can be read; CIE X, Y, Z and others have to be converted first"
                )
            part, layer = (unnamed or found)[0]
            return _window(part, layer, path), _left_out(part, layer, file)
    except (RuntimeError, OSError) as error:
        raise ValueError(f"{path} cannot be read as an image: {' '.join(str(error).split())}") from error


def _layers(channels: Any) -> list[str]:
    """Names of the layers that have a colour, with the point after them; '' is what has no name."""
    layers = [name[:-1] for name in channels if name.split(".")[-1].upper() == "R"]
    layers = [la for la in layers if all(la + c in channels or la + c.lower() in channels for c in "RGB")]
    return layers or [name[:-1] for name in channels if name == "Y" and not {"X", "Z"} <= set(channels)]


def _window(part: Any, layer: str, path: Path) -> np.ndarray:
    """Data in their place."""
    channels = {name[len(layer) :].upper(): c.pixels for name, c in part.channels.items() if name.startswith(layer)}
    if part.type() not in (0, 1):  # scan lines, tiles
        raise ValueError(f"{path} holds deep data, of several depths at a pixel: flatten it first")
    if any(pixels.dtype.kind == "u" for pixels in channels.values()):
        raise ValueError(f"{path} holds whole numbers, such as identities of objects, and no radiance")
    if "R" in channels:
        data = np.stack([channels[name] for name in "RGB"], axis=-1).astype(np.float32)
    else:
        data = _from_luminance(channels)
    (left, top), (right, bottom) = part.header["displayWindow"]
    (x, y), _ = part.header["dataWindow"]
    picture = np.zeros((bottom - top + 1, right - left + 1, 3), np.float32)
    height, width = data.shape[:2]
    shown = (
        slice(max(y, top) - top, min(y + height, bottom + 1) - top),
        slice(max(x, left) - left, min(x + width, right + 1) - left),
    )
    rows, columns = (slice(span.start + start, span.stop + start) for span, start in zip(shown, (top - y, left - x)))
    if picture[shown].size:
        picture[shown] = data[rows, columns]
    return picture


def _from_luminance(channels: dict[str, np.ndarray]) -> np.ndarray:
    """Grey, or colour from (R - Y) / Y and (B - Y) / Y, which have half as many pixels each way."""
    luminance = channels["Y"].astype(np.float32)
    if not {"RY", "BY"} <= set(channels):
        return np.repeat(luminance[..., None], 3, axis=-1)
    size = luminance.shape[::-1]
    red, blue = (luminance * (1 + cv2.resize(channels[n].astype(np.float32), size)) for n in ("RY", "BY"))
    green = (luminance - LUMINANCE[0] * red - LUMINANCE[2] * blue) / LUMINANCE[1]
    return np.stack([red, green, blue], axis=-1)


def _left_out(part: Any, layer: str, file: Any) -> list[str]:
    """Notes on what a file holds that is not in the picture."""
    used = {layer + name for name in "RGBrgb"} | ({"Y", "RY", "BY"} if layer + "R" not in part.channels else set())
    others = sorted(set(part.channels) - used)
    notes = [f"is read by its layer {layer.rstrip('.')}"] * bool(layer)
    notes += [f"has channels that are not read: {', '.join(others[:8])}"] * bool(others)
    notes += [f"has {len(file.parts)} parts, of which one is read"] * (len(file.parts) > 1)
    (x, y), (right, bottom) = part.header["dataWindow"]
    (left, top), (end, floor) = part.header["displayWindow"]
    if x < left or y < top or right > end or bottom > floor:
        notes.append("has data beyond its display window, which are cut off")
    primaries = part.header.get("chromaticities")
    if primaries is not None and not np.allclose(np.ravel(primaries), BT709, atol=2e-3):
        notes.append("has other primaries than BT.709: its values are taken as they are")
    if part.header.get("pixelAspectRatio", 1) != 1:
        notes.append(f"has pixels that are not square ({part.header['pixelAspectRatio']:g})")
    return notes


def write_exr(path: Path, image: np.ndarray) -> None:
    """Writes (H, W, 3) float32 RGB."""
    import OpenEXR

    header = dict(compression=OpenEXR.ZIP_COMPRESSION, type=OpenEXR.scanlineimage)
    channels = {name: np.ascontiguousarray(image[..., i]) for i, name in enumerate("RGB")}
    OpenEXR.File(header, channels).write(os.fsencode(path))


AXES = re.compile(rb"([+-])([XY]) +(\d+) +([+-])([XY]) +(\d+)")


def read_radiance_hdr(path: Path, data: bytes) -> tuple[np.ndarray, list[str]]:
    """(H, W, 3) float32 of a Radiance HDR file, as its axes, `EXPOSURE` and `COLORCORR` say, and what it says beside.

    Raises:
        ValueError: If it is damaged, or of X, Y, Z.
    """
    head, _, body = data.partition(b"\n\n")
    axes_line, _, pixels = body.partition(b"\n")
    axes = AXES.fullmatch(axes_line.strip())
    if not axes or axes[2] == axes[5]:
        raise ValueError(f"{path} cannot be read as an image: its header says no size such as '-Y 480 +X 640'")
    if b"FORMAT=32-bit_rle_xyze" in head.replace(b" ", b""):
        raise ValueError(f"{path} holds CIE X, Y, Z: convert it to RGB first, as with Radiance's ra_xyze -r")
    plain = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n" % (int(axes[3]), int(axes[6])) + pixels
    image = cv2.imdecode(np.frombuffer(plain, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError(f"{path} cannot be read as an image: it is damaged, or packed as before 1991")
    scale = np.ones(3)
    for value in re.findall(rb"^EXPOSURE=(.*)$", head, flags=re.M):
        scale *= float(value)
    for values in re.findall(rb"^COLORCORR=(.*)$", head, flags=re.M):
        scale *= np.array(values.split(), float)
    upright = Orientation(
        transposed=axes[2] == b"X",
        flip_x=axes[1 if axes[2] == b"X" else 4] == b"-",
        flip_y=axes[4 if axes[2] == b"X" else 1] == b"+",
    )
    said = [line.decode(errors="replace") for line in re.findall(rb"^(?:PRIMARIES|PIXASPECT|GAMMA)=.*$", head, re.M)]
    notes = [f"says {line.strip()}: its values are taken as they are" for line in said]
    return upright.apply(image[:, :, ::-1] / scale.astype(np.float32)), notes
