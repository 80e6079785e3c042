"""A scene, moved, and photographed before and after: for networks whose input is a degraded picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from annotated_types import Interval
from mmagic.registry import TRANSFORMS
from mmcv.transforms import BaseTransform, Compose

from ..utils.validation import Count, Rising, SomeShare, Whole, check_arguments
from .virtual_camera import photograph

JPEGQuality = Annotated[int, Interval(ge=1, le=100)]


@TRANSFORMS.register_module()
class TwoFrames(BaseTransform):
    """Cuts two frames out of a scene, as a camera that moved by whole pixels gives them, and degrades each for itself.

    The scene is the image; `steps` make of a crop of it what the network sees. They run once for each frame, so that
    noise, compression and aliasing are each frame's own, as in a video. The shift is whole in pixels of the scene: what
    the network makes of both frames can be compared without any interpolation (`GivenShift`).

    Required key: `gt`, (H, W, 3) uint8. Added or changed: `gt` (the crop), `img` and `moved_img` (crop / scale),
    `moved_by` ((x, y) in pixels of `img`), and the channel orders of both.

    Args:
        crop_size: Edge of the crop of the scene in pixels, a multiple of `scale`.
        scale: How much smaller `steps` make it.
        shift: Largest shift in pixels of the scene, each way and axis.
        multiple: Shifts are multiples of this many pixels: 2 for a network whose prediction has half the resolution.
        zoom_out: The scene is reduced by a random factor in [zoom_out, 1] first, as far as the crop allows: scenes of
            several sizes.
        steps: Configs of transforms of `img`, such as MMagic's `RandomNoise`. What does not reduce it by `scale` is
            followed by that (`reduced`).

    Raises:
        ValueError: If options are out of range, the image is smaller than the crop and the shift need (its path is
            named), or the steps give another size than `scale` says.
    """

    @check_arguments
    def __init__(
        self,
        crop_size: Whole = 96,
        *,
        scale: Whole = 1,
        shift: Count = 8,
        multiple: Whole = 1,
        zoom_out: SomeShare = 1.0,
        steps: Sequence[dict] = (),
    ) -> None:
        if crop_size % scale:
            raise ValueError(f"crop_size must be a multiple of scale, got {crop_size} and {scale}")
        self.crop_size, self.scale, self.shift, self.zoom_out = crop_size, scale, shift, zoom_out
        self.multiple, self.steps = multiple, Compose(list(steps))

    def transform(self, results: dict) -> dict:
        name = str(results.get("gt_path") or results.get("img_path") or "an image")
        image = self._zoomed(results["gt"], name)
        reach = self.crop_size + self.shift
        top, left = (np.random.randint(self.shift, length - reach + 1) for length in image.shape[:2])
        steps = self.shift // self.multiple
        down, right = np.random.randint(-steps, steps + 1, 2) * self.multiple
        order = results.get("gt_channel_order", "bgr")
        camera = self._camera(order)
        gt = self._cut(image, top, left)
        return dict(
            results,
            gt=gt,
            img=camera(gt),
            moved_img=camera(self._cut(image, top + down, left + right)),
            moved_by=(right / self.scale, down / self.scale),
            img_channel_order=order,
            moved_img_channel_order=order,
            gt_channel_order=order,
        )

    def _camera(self, order: str) -> Callable[[np.ndarray], np.ndarray]:
        """The function that makes a frame of a scene: the same for both frames, but for its random numbers."""
        return lambda scene: degraded(scene, self.steps, scale=self.scale, order=order)

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

    def __repr__(self) -> str:
        return f"{type(self).__name__}(crop_size={self.crop_size}, scale={self.scale}, shift={self.shift})"


@TRANSFORMS.register_module()
class PhotographTwice(TwoFrames):
    """`TwoFrames` that are photographs: JPEG compression, a reduction by `scale` (bicubic, antialiased), noise, 8 bits.

    Args:
        crop_size, scale, shift, zoom_out: As of `TwoFrames`.
        noise: Largest standard deviation of the noise in 8-bit levels; each pair draws its own below.
        jpeg_quality: Range of JPEG's quality, drawn for each photograph; None: no compression.

    Raises:
        ValueError: As `TwoFrames`.
    """

    @check_arguments
    def __init__(
        self,
        crop_size: Whole = 96,
        *,
        scale: Whole = 4,
        shift: Count = 8,
        zoom_out: SomeShare = 0.5,
        noise: Annotated[float, Interval(ge=0, le=255)] = 2.0,
        jpeg_quality: Annotated[tuple[JPEGQuality, JPEGQuality], Rising()] | None = (70, 95),
    ) -> None:
        super().__init__(crop_size, scale=scale, shift=shift, zoom_out=zoom_out)
        self.noise, self.jpeg_quality = noise, jpeg_quality

    def _camera(self, order: str) -> Callable[[np.ndarray], np.ndarray]:
        sigma = np.random.uniform(0, self.noise)
        return lambda scene: self._photographed(scene, sigma)

    def _photographed(self, scene: np.ndarray, sigma: float) -> np.ndarray:
        if self.jpeg_quality is not None:
            quality = int(np.random.randint(self.jpeg_quality[0], self.jpeg_quality[1] + 1))
            scene = cv2.imdecode(cv2.imencode(".jpg", scene, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
        small = reduced(scene, self.scale)
        return np.clip(np.rint(small + np.random.normal(0, sigma, small.shape)), 0, 255).astype(np.uint8)


@TRANSFORMS.register_module()
class PhotographRadianceTwice(BaseTransform):
    """Two frames for HDR reconstruction: crops of a scene of radiance, shifted by whole pixels, and the virtual camera.

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


def degraded(scene: np.ndarray, steps: Callable[[dict], dict], *, scale: int = 1, order: str = "rgb") -> np.ndarray:
    """Degrades a scene to what a network sees: by steps of a pipeline, then reduced unless they do that, in 8 bits.

    Args:
        scene: (H, W, 3) uint8.
        steps: From a dict with `img` to one.
        scale: How much smaller the result is.
        order: Of the scene's channels.

    Raises:
        ValueError: If the steps give another size.
    """
    image = steps(dict(img=scene.copy(), img_channel_order=order))["img"]
    if image.shape == scene.shape:
        image = reduced(image, scale)
    if tuple(length * scale for length in image.shape[:2]) != scene.shape[:2]:
        sizes = " and ".join(f"{each.shape[1]}x{each.shape[0]}" for each in (scene, image))
        raise ValueError(f"a scene and what the steps make of it are {sizes}, and scale is {scale}: they do not fit")
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
