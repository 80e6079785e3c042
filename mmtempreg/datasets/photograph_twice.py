"""A scene, moved, and photographed before and after: for networks whose input is a degraded picture."""

from __future__ import annotations

from typing import Annotated, Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmagic.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..validation import Count, Interval, Rising, Whole, check_arguments
from .virtual_camera import photograph


@TRANSFORMS.register_module()
class PhotographTwice(BaseTransform):
    """Cuts a crop out of an image and another one, shifted by whole pixels, and degrades each for itself.

    The scene is the image, and a photograph of it is: JPEG compression, a reduction by `scale` (bicubic, antialiased),
    noise and rounding to 8 bits. Two frames of a video differ like that. The shift is whole in pixels of the image, and
    a multiple of 1 / scale in those of the photograph: what the network makes of both can be compared without any
    interpolation (`GivenShiftPair`). Random numbers are NumPy's.

    Required key: `gt`, (H, W, 3) uint8. Added or changed: `gt` (the crop), `img` and `moved_img` (crop / scale, uint8),
    `moved_by` ((x, y) in pixels of `img`), and the channel orders of both.

    Args:
        crop_size: Edge of the crop of the image in pixels, a multiple of `scale`.
        scale: How much smaller photographs are.
        shift: Largest shift in pixels of the image, each way and axis.
        zoom_out: The image is reduced by a random factor in [zoom_out, 1] first, as far as the crop allows: scenes of
            several sizes.
        noise: Largest standard deviation of the noise in 8-bit levels; each pair draws its own below.
        jpeg_quality: Range of JPEG's quality, drawn for each photograph; None: no compression.

    Raises:
        ValueError: If options are out of range, or the image is smaller than the crop and the shift need: its path is
            named.
    """

    @check_arguments
    def __init__(
        self,
        crop_size: Whole = 96,
        scale: Whole = 4,
        shift: Count = 8,
        zoom_out: Annotated[float, Interval("(0, 1]")] = 0.5,
        noise: Annotated[float, Interval("[0, 255]")] = 2.0,
        jpeg_quality: Annotated[tuple[int, int], Interval("[1, 100]"), Rising()] | None = (70, 95),
    ) -> None:
        if crop_size % scale:
            raise ValueError(f"crop_size must be a multiple of scale, got {crop_size} and {scale}")
        self.crop_size, self.scale, self.shift, self.zoom_out = crop_size, scale, shift, zoom_out
        self.noise, self.jpeg_quality = noise, jpeg_quality

    def transform(self, results: dict) -> dict:
        image = self._zoomed(results["gt"], str(results.get("gt_path") or results.get("img_path") or "an image"))
        reach = self.crop_size + self.shift
        top, left = (np.random.randint(self.shift, length - reach + 1) for length in image.shape[:2])
        down, right = np.random.randint(-self.shift, self.shift + 1, 2)
        sigma = np.random.uniform(0, self.noise)
        gt = self._cut(image, top, left)
        order = results.get("gt_channel_order", "bgr")
        return dict(
            results,
            gt=gt,
            img=self._photographed(gt, sigma),
            moved_img=self._photographed(self._cut(image, top + down, left + right), sigma),
            moved_by=(right / self.scale, down / self.scale),
            img_channel_order=order,
            moved_img_channel_order=order,
            gt_channel_order=order,
        )

    def _zoomed(self, image: np.ndarray, name: str) -> np.ndarray:
        needed, shorter = self.crop_size + 2 * self.shift, min(image.shape[:2])
        if shorter < needed:
            raise ValueError(
                f"{name} is {image.shape[1]}x{image.shape[0]}: crop and shift need {needed} pixels each way"
            )
        factor = np.random.uniform(max(self.zoom_out, needed / shorter), 1.0)
        size = [max(needed, round(length * factor)) for length in image.shape[1::-1]]
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)

    def _cut(self, image: np.ndarray, top: int, left: int) -> np.ndarray:
        return np.ascontiguousarray(image[top : top + self.crop_size, left : left + self.crop_size])

    def _photographed(self, scene: np.ndarray, sigma: float) -> np.ndarray:
        if self.jpeg_quality is not None:
            quality = int(np.random.randint(self.jpeg_quality[0], self.jpeg_quality[1] + 1))
            scene = cv2.imdecode(cv2.imencode(".jpg", scene, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
        small = reduced(scene, self.scale)
        return np.clip(np.rint(small + np.random.normal(0, sigma, small.shape)), 0, 255).astype(np.uint8)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(crop_size={self.crop_size}, scale={self.scale}, shift={self.shift})"


@TRANSFORMS.register_module()
class PhotographRadianceTwice(BaseTransform):
    """The same for HDR reconstruction: crops of a scene of radiance, shifted by whole pixels, and the virtual camera.

    The photograph of the first crop is the item's own; that of the second has the same exposure, response curve and
    noise level, and noise and compression of its own. Take it instead of the crop in the pipeline.

    Required keys: `gt`, (H, W, 3) radiance, `img`, its photograph, `shot` (`virtual_camera.Shot`). Added or changed:
    `gt`, `img` (crops), `moved_img` and `moved_by`, as of `PhotographTwice`.

    Args:
        crop_size: Edge of the crops in pixels.
        shift: Largest shift in pixels, each way and axis.

    Raises:
        ValueError: If options are out of range, or the image is smaller than the crop and the shift need.
    """

    @check_arguments
    def __init__(self, crop_size: Whole = 64, shift: Count = 4) -> None:
        self.crop_size, self.shift = crop_size, shift

    def transform(self, results: dict) -> dict:
        height, width = results["gt"].shape[:2]
        room = min(height, width) - self.crop_size - 2 * self.shift
        if room < 0:
            raise ValueError(
                f"a scene of {width}x{height} is too small for crops of {self.crop_size} + 2 x {self.shift}"
            )
        top, left = (
            np.random.randint(self.shift, length - self.crop_size - self.shift + 1) for length in (height, width)
        )
        down, right = np.random.randint(-self.shift, self.shift + 1, 2)
        window, moved = (
            (slice(y, y + self.crop_size), slice(x, x + self.crop_size))
            for y, x in ((top, left), (top + down, left + right))
        )
        rng = np.random.default_rng(np.random.randint(2**31, size=2))
        return dict(
            results,
            gt=np.ascontiguousarray(results["gt"][window]),
            img=np.ascontiguousarray(results["img"][window]),
            moved_img=photograph(results["gt"][moved], results["shot"], rng),
            moved_by=(float(right), float(down)),
            moved_img_channel_order=results["img_channel_order"],
        )


def reduced(image: np.ndarray, scale: int) -> np.ndarray:
    """An image (H, W, C) smaller by a whole factor, bicubic and antialiased as the field reduces images; float32."""
    if scale == 1:
        return image.astype(np.float32)
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    small: Any = F.interpolate(pixels, scale_factor=1 / scale, mode="bicubic", antialias=True, align_corners=False)
    return small[0].permute(1, 2, 0).numpy()
