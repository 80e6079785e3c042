"""Real HDR images: a folder of them as photographs to train on, or as clips of a moving camera to test on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import cv2
import numpy as np
from annotated_types import Interval
from mmagic.registry import DATASETS
from mmengine.dataset import BaseDataset

from ..functional import lag_frames
from ..utils.shipped import shipped
from ..utils.validation import Count, FrameRate, Positive, Rising, SomeShare, Whole, check_arguments
from ..video.image_files import read_image
from .clip_sampler import frame_name
from .crops import check_crops
from .procedural_scene import Wave
from .virtual_camera import Shot, VirtualCamera, exposure_for, photograph, shift_colour

SUFFIXES = (".hdr", ".exr")


def read_hdr(path: str | Path) -> np.ndarray:
    """Linear RGB radiance of a .hdr or .exr file, (H, W, 3) float32.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, holds no radiance, or as `video.image_files.read_image` says.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such HDR image")
    image = read_image(path)
    if image.dtype != np.float32:
        raise ValueError(f"{path} holds {image.dtype}, not linear floating-point radiance; expected one of {SUFFIXES}")
    return image


_read_cached = lru_cache(maxsize=16)(read_hdr)


def _list_images(folder: str, names: Sequence[str] | None) -> list[str]:
    root = shipped(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder of HDR images")
    files = [root / name for name in names] if names else sorted(root.iterdir())
    files = [file for file in files if file.suffix.lower() in SUFFIXES]
    if not files:
        raise FileNotFoundError(f"{folder} holds no image with one of the suffixes {SUFFIXES}")
    return [str(file) for file in files]


def _crop_width(path: str, image: np.ndarray, fraction: float, size: int) -> float:
    """Width in source pixels of a square crop; never more than the image is high."""
    height, width = image.shape[:2]
    if min(height, width) < size:
        raise ValueError(f"{path} is {width}x{height}: smaller than the crop of {size}x{size} pixels")
    return min(fraction * width, height - 1.0)


ShareRange = Annotated[tuple[SomeShare, SomeShare], Rising()]


class Window(NamedTuple):
    """A square part of an image.

    Attributes:
        center: (x, y) in pixels of the image.
        width: In pixels of the image.
        angle: By which it is turned, in radians.
    """

    center: tuple[float, float]
    width: float
    angle: float = 0.0

    def matrix(self, size: int) -> np.ndarray:
        """(2, 3): from a pixel of the view, which is `size` pixels wide, to the image's."""
        scale, middle = self.width / size, (size - 1) / 2
        cos, sin = scale * np.cos(self.angle), scale * np.sin(self.angle)
        x, y = self.center
        return np.array([[cos, -sin, x - middle * (cos - sin)], [sin, cos, y - middle * (cos + sin)]])


LENS = 0.5
"""Standard deviation of the lens' blur in pixels of the photograph: about what is left at a pixel's own blur."""

SAMPLES = 4
"""Samples of the scene in a pixel, each way, at least."""


def camera_view(image: np.ndarray, matrix: np.ndarray, size: int, *, lens: float = LENS) -> np.ndarray:
    """View of a scene through a camera: a lens that blurs, and square pixels that gather light over their whole area.

    The scene is the image, continuous by bilinear interpolation and mirrored beyond its border. It is sampled `SAMPLES`
    times as finely as the pixels stand, and no coarser than the image's own pixels, blurred by the lens' Gaussian, and
    averaged over each pixel. The average of a pixel does not depend on where the pixels of the *image* lie, as bilinear
    samples of it would: they are sharp where both grids meet and blurred in between, so that a moving camera would see
    detail that pulses.

    Args:
        image: (H, W, 3) float32, linear light.
        matrix: (2, 3), from a pixel of the view to the image's.
        size: Of the view in pixels, both ways.
        lens: Standard deviation of the lens' blur in pixels of the view.

    Returns:
        (size, size, 3) float32.
    """
    margin = int(np.ceil(4 * lens)) + 1  # pixels around the view that the lens brings light from
    samples = max(SAMPLES, int(np.ceil(np.linalg.norm(matrix[:, :2], 2))))
    first = 0.5 / samples - 0.5 - margin
    to_image = matrix @ np.array([[1 / samples, 0, first], [0, 1 / samples, first], [0, 0, 1]])
    wide = (size + 2 * margin) * samples
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    light = cv2.warpAffine(image, to_image, (wide, wide), flags=flags, borderMode=cv2.BORDER_REFLECT)
    if lens > 0:
        light = cv2.GaussianBlur(light, (0, 0), lens * samples, borderType=cv2.BORDER_REFLECT)
    inner = light[margin * samples : -margin * samples, margin * samples : -margin * samples]
    return cv2.resize(inner, (size, size), interpolation=cv2.INTER_AREA)


def _view(image: np.ndarray, window: Window, size: int, lens: float | None) -> np.ndarray:
    """The image through a window, at `size` pixels; without a lens as the camera of earlier results saw it."""
    if lens is not None:
        return camera_view(image, window.matrix(size), size, lens=lens)
    scale = window.width / size
    if scale > 1:  # what the smaller grid cannot hold would alias, and crawl as the camera moves
        image = cv2.GaussianBlur(image, (0, 0), 0.5 * scale, borderType=cv2.BORDER_REFLECT)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, window.matrix(size), (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT)


class _HDRFolder(BaseDataset):
    """Base of photographs and clips: the folder, the crop and the camera."""

    METAINFO = dict(dataset_type="hdr", task_name="hdr_reconstruction")

    def __init__(
        self,
        data_root: str,
        size: int,
        seed: int,
        crop: tuple[float, float],
        percentile: tuple[float, float],
        camera: VirtualCamera,
        lens: float | None,
        files: Sequence[str] | None,
        pipeline: Sequence[dict | Callable],
        **kwargs: Any,
    ) -> None:
        self.size, self.seed, self.crop, self.percentile, self.camera = size, seed, crop, percentile, camera
        self.lens, self.files = lens, files
        super().__init__(data_root=data_root, pipeline=list(pipeline), serialize_data=False, **kwargs)
        check_crops(self.pipeline, (size, size), f"a view of {data_root}")

    def _item(self, info: dict, radiance: np.ndarray, image: np.ndarray) -> dict:
        return dict(info, img=image, gt=radiance, img_channel_order="rgb", gt_channel_order="rgb")


@DATASETS.register_module()
class HDRImageDataset(_HDRFolder):
    """Photographs that a virtual camera takes of a folder of .hdr and .exr images.

    Photograph i is a random crop of image i modulo their number, mirrored half of the time, with a random
    exposure and camera (hdrcnn's): a pure function of (seed, i). Items are as in `ProceduralHDRDataset`.

    Args:
        data_root: The folder.
        num_images: Number of photographs.
        size: Height and width of a photograph in pixels.
        seed: Another seed, other photographs.
        crop: Smallest and largest width of the crop, as a fraction of the image's.
        percentile: Range of the percentile of the brightest channel that is exposed to saturation.
        camera: Arguments of `VirtualCamera`.
        lens: Standard deviation of the lens' blur in pixels (`camera_view`). None: bilinear samples of the image, which
            no camera gives; for earlier results.
        files: Names in the folder to use; None: all.
        pipeline: Transforms of the items.

    Raises:
        FileNotFoundError, ValueError: For a missing, unreadable or too small image; they name the file.
    """

    @check_arguments
    def __init__(
        self,
        data_root: str,
        *,
        num_images: Whole = 10000,
        size: Whole = 320,
        seed: Count = 0,
        crop: ShareRange = (0.2, 0.6),
        percentile: ShareRange = (0.85, 0.95),
        camera: dict | None = None,
        lens: Annotated[float, Interval(ge=0, le=10)] | None = LENS,
        files: Sequence[str] | None = None,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        self.num_images = num_images
        shot = VirtualCamera(**(camera or {}))
        super().__init__(
            data_root,
            size=size,
            seed=seed,
            crop=crop,
            percentile=percentile,
            camera=shot,
            lens=lens,
            files=files,
            pipeline=pipeline,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """One entry per photograph."""
        paths = _list_images(self.data_root, self.files)
        return [
            dict(img_path=paths[i % len(paths)], clip=f"photo_{i:05d}", clip_index=i, frame=0, num_frames=1, fps=1.0)
            for i in range(self.num_images)
        ]

    def get_data_info(self, idx: int) -> dict:
        """The item before the pipeline."""
        info = super().get_data_info(idx)
        rng = np.random.default_rng([self.seed, info["clip_index"]])
        source = _read_cached(info["img_path"])
        width = _crop_width(info["img_path"], source, rng.uniform(*self.crop), self.size)
        x, y = (rng.uniform(width / 2, extent - width / 2) for extent in source.shape[1::-1])
        radiance = _view(source, Window((x, y), width), self.size, self.lens)
        if rng.uniform() < 0.5:
            radiance = radiance[:, ::-1]
        shot = self.camera.draw(rng)
        exposure = exposure_for(radiance, rng.uniform(*self.percentile))
        radiance = shift_colour(np.ascontiguousarray(radiance * np.float32(exposure)), shot.hue, shot.saturation)
        return self._item(dict(info, shot=shot), radiance, photograph(radiance, shot, rng))


@dataclass(frozen=True)
class _CameraPath:
    """Path of a camera over time in seconds; lengths in pixels of the image."""

    image: np.ndarray
    x: Wave
    y: Wave
    width: Wave
    angle: Wave
    lens: float | None

    def window(self, seconds: float) -> Window:
        """The part of the image that it sees. At the image's border the view stops."""
        half = self.width(seconds) / 2
        x, y = (
            float(np.clip(position, min(half, extent / 2), max(extent - half, extent / 2)))
            for position, extent in zip((self.x(seconds), self.y(seconds)), self.image.shape[1::-1])
        )
        return Window((x, y), 2 * half, self.angle(seconds))

    def view(self, seconds: float, size: int) -> np.ndarray:
        """The picture that it sees, (size, size, 3)."""
        return _view(self.image, self.window(seconds), size, self.lens)

    def motion(self, now: float, then: float, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Motion from an earlier time, as in `functional.Motion`; hidden is what lies beyond the image."""
        ways = [np.vstack([self.window(time).matrix(size), (0, 0, 1)]) for time in (now, then)]
        rows, columns = np.mgrid[:size, :size]
        points = np.stack([columns.ravel(), rows.ravel(), np.ones(size * size)])
        world = ways[0] @ points  # in the image, where nothing moves
        before = np.linalg.solve(ways[1], world)
        limits = np.array(self.image.shape[1::-1])[:, None] - 1
        there = ((world[:2] >= 0) & (world[:2] <= limits)).all(axis=0)
        flow = (before - points)[:2].reshape(2, size, size)
        return flow.astype(np.float32), there.reshape(1, size, size).astype(np.float32)


class _Take(NamedTuple):
    """The choices that are fixed for a clip."""

    path: _CameraPath
    exposure: float
    shot: Shot


@DATASETS.register_module()
class HDRPanDataset(_HDRFolder):
    """Clips of a camera that pans, zooms and rolls smoothly over HDR images: real light, with true HDR frames.

    Clip i moves over image i modulo their number. Path, exposure (one for the clip) and camera are a pure
    function of (seed, i). Items are as in `ProceduralHDRDataset`.

    Args:
        data_root: The folder of .hdr and .exr images.
        num_clips: Number of clips; None: one per image.
        num_frames: Frames per clip.
        size: Height and width of a frame in pixels.
        fps: Frames per second; motion is defined in seconds.
        seed: Another seed, other paths.
        crop: Smallest and largest width of the view, as a fraction of the image's.
        percentile: Range of the percentile of the brightest channel that is exposed to saturation.
        pan: Amplitude of the motion in widths of the view.
        zoom: Relative amplitude of the view's width.
        roll: Amplitude of the camera's roll in degrees.
        camera: Arguments of `VirtualCamera`. Without JPEG by default: its blocks flicker.
        lens: As in `HDRImageDataset`.
        motion_lags: For each of these lags (seconds; None: one frame) the items tell where every pixel was that long
            ago: `motion`, {frames: (flow, visible)} as in `meters.Motion`, exactly. Pack it as a meta key.
        files: Names in the folder to use; None: all.
        pipeline: Transforms of the items.

    Raises:
        FileNotFoundError, ValueError: For a missing, unreadable or too small image, and a bad fps.
    """

    @check_arguments
    def __init__(
        self,
        data_root: str,
        *,
        num_clips: Whole | None = None,
        num_frames: Whole = 100,
        size: Whole = 320,
        fps: FrameRate = 24.0,
        seed: Count = 0,
        crop: ShareRange = (0.2, 0.6),
        percentile: ShareRange = (0.85, 0.95),
        pan: Annotated[float, Interval(ge=0, le=100)] = 0.3,
        zoom: Annotated[float, Interval(ge=0, lt=1)] = 0.1,
        roll: Annotated[float, Interval(ge=0, le=360)] = 4.0,
        camera: dict | None = None,
        lens: Annotated[float, Interval(ge=0, le=10)] | None = LENS,
        motion_lags: Sequence[Positive | None] = (),
        files: Sequence[str] | None = None,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        self.num_clips, self.num_frames, self.fps = num_clips, num_frames, float(fps)
        self.pan, self.zoom, self.roll = pan, zoom, roll
        self.lags = [lag_frames(lag, self.fps) for lag in motion_lags]
        self._take: tuple[int, _Take] | None = None  # that of the clip read last
        shot = VirtualCamera(**{"jpeg": False, **(camera or {})})
        super().__init__(
            data_root,
            size=size,
            seed=seed,
            crop=crop,
            percentile=percentile,
            camera=shot,
            lens=lens,
            files=files,
            pipeline=pipeline,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """One entry per frame."""
        paths = _list_images(self.data_root, self.files)
        clips = [(clip, paths[clip % len(paths)]) for clip in range(self.num_clips or len(paths))]
        return [
            dict(
                img_path=path,
                clip=f"{clip:03d}_{Path(path).stem}",
                clip_index=clip,
                frame=frame,
                num_frames=self.num_frames,
                gt_path=frame_name(f"{clip:03d}_{Path(path).stem}", frame),
                fps=self.fps,
            )
            for clip, path in clips
            for frame in range(self.num_frames)
        ]

    def get_data_info(self, idx: int) -> dict:
        """The item before the pipeline."""
        info = super().get_data_info(idx)
        clip, frame = info["clip_index"], info["frame"]
        if self._take is None or self._take[0] != clip:
            self._take = (clip, self._draw_take(clip, info["img_path"]))
        take = self._take[1]
        radiance = take.path.view(frame / self.fps, self.size) * np.float32(take.exposure)
        radiance = shift_colour(radiance, take.shot.hue, take.shot.saturation)
        if self.lags:
            times = {lag: (frame - lag) / self.fps for lag in self.lags if lag <= frame}
            info["motion"] = {lag: take.path.motion(frame / self.fps, t, self.size) for lag, t in times.items()}
        noise = np.random.default_rng([self.seed, clip, frame])
        return self._item(info, radiance, photograph(radiance, take.shot, noise))

    def _draw_take(self, clip: int, img_path: str) -> _Take:
        image = _read_cached(img_path)
        rng = np.random.default_rng([self.seed, clip])
        width = _crop_width(img_path, image, rng.uniform(*self.crop), self.size)
        x, y = (rng.uniform(width / 2, extent - width / 2) for extent in image.shape[1::-1])
        path = _CameraPath(
            image=image,
            x=Wave.draw(rng, x, self.pan * width / 2),
            y=Wave.draw(rng, y, self.pan * width / 2),
            width=Wave.draw(rng, width, self.zoom * width / 2),
            angle=Wave.draw(rng, 0, np.radians(self.roll) / 2),
            lens=self.lens,
        )
        shot, percentile = self.camera.draw(rng), rng.uniform(*self.percentile)
        times = np.linspace(0, (self.num_frames - 1) / self.fps, 5)
        return _Take(path, exposure_for(np.stack([path.view(t, self.size) for t in times]), percentile), shot)
