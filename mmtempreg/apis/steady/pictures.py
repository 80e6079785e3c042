"""Photographs that move: short clips whose motion is known exactly, as a network sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.registry import init_default_scope
from torch import Tensor

from ...datasets.photograph_twice import degraded
from ...functional import Motion
from ...video.image_files import read_image

Camera = Callable[[np.ndarray], np.ndarray]

STEPS = ((0.7, 0.4), (1.3, -0.6), (-0.35, 0.85), (2.3, 1.1))
"""What pictures move by a frame, (x, y) in pixels."""

MARGIN = 8
"""Pixels along the border of a moving picture that do not count."""


@dataclass(frozen=True)
class MovingPicture:
    """A clip of a scene that moves steadily.

    Attributes:
        seen: (T, 3, h, w) RGB in [0, 1], what the network sees.
        truth: (T, 3, H, W) the scene, of a whole multiple of that size.
        motion: From each frame of the scene to the one before.
    """

    seen: Tensor
    truth: Tensor
    motion: Motion


def pan(
    image: np.ndarray, step: tuple[float, float], *, num_frames: int, size: tuple[int, int]
) -> Iterator[np.ndarray]:
    """A window that moves over an image, by Lanczos' interpolation; its path's middle is the image's.

    Args:
        image: (H, W, 3) uint8.
        step: (x, y) in pixels a frame.
        num_frames: Length.
        size: (height, width) of the window.
    """
    slack = [length - window for length, window in zip(image.shape[1::-1], size[::-1])]
    start = [s / 2 - d * (num_frames - 1) / 2 for s, d in zip(slack, step)]
    for number in range(num_frames):
        x, y = (s + d * number for s, d in zip(start, step))
        flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
        matrix = np.array([[1, 0, x], [0, 1, y]])
        yield cv2.warpAffine(image, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT_101)


def moving_pictures(
    files: Sequence[Path], camera: Camera, edge: int = 192, *, num_frames: int = 8, seed: int = 0
) -> Iterator[MovingPicture]:
    """A clip of the middle of each photograph.

    Args:
        files: Photographs.
        camera: From a frame of the scene (H, W, 3) uint8 RGB to what the network sees of it, uint8. Its random numbers,
            NumPy's, are the same whenever this is called with one seed.
        edge: Of the window in pixels, a multiple of 8; smaller photographs give smaller ones.
        num_frames: Length of a clip.
        seed: Of the camera's random numbers.

    Raises:
        ValueError: If a photograph cannot be read or holds no 8-bit values: it is named.
    """
    before = np.random.get_state()
    try:
        for number, path in enumerate(files):
            image = read_image(path)
            if image.dtype == np.uint16:
                image = (image >> 8).astype(np.uint8)
            if image.dtype != np.uint8:
                raise ValueError(f"{path} holds radiance; photographs of 8 or 16 bits are needed")
            np.random.seed(number + 100_000 * seed)
            window = min(edge, min(image.shape[:2]) // 8 * 8)
            step = STEPS[number % len(STEPS)]
            scene = list(pan(image, step, num_frames=num_frames, size=(window, window)))
            yield MovingPicture(_frames([camera(frame) for frame in scene]), _frames(scene), _steady(step, window))
    finally:
        np.random.set_state(before)


def stills(files: Sequence[Path], camera: Camera, edge: int = 96) -> list[tuple[Tensor, Tensor]]:
    """Crops of the middle of photographs as a network sees them (3, h, w), and as they are (3, H, W); RGB in [0, 1]."""
    still = moving_pictures(files, camera, edge, num_frames=1)
    return [(picture.seen[0], picture.truth[0]) for picture in still]


def camera_of(steps: Sequence[Mapping[str, Any]], scale: int) -> Camera:
    """Makes the function from a scene to what a network sees of it.

    Args:
        steps: Configs of MMagic's transforms of `img`.
        scale: How much smaller that is.
    """
    from mmcv.transforms import Compose

    init_default_scope("mmagic")
    return partial(degraded, steps=Compose([dict(step) for step in steps]), scale=scale)


def _frames(images: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def _steady(step: tuple[float, float], edge: int) -> Motion:
    """The motion of a pan, known but for its border."""
    visible = torch.zeros(1, edge, edge)
    visible[:, MARGIN:-MARGIN, MARGIN:-MARGIN] = 1
    return Motion(torch.tensor(step).view(2, 1, 1).expand(2, edge, edge).contiguous(), visible)
