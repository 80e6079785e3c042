"""Procedural HDR images and clips: no download, no licence, and ground truth without a limit."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmagic.registry import DATASETS
from mmengine.dataset import BaseDataset
from torch.utils.data import DataLoader, Dataset

from ..functional import lag_frames
from ..utils.validation import Count, Positive, Whole, check_arguments
from .array_cache import cached_array
from .clip_sampler import frame_name
from .crops import check_crops
from .procedural_scene import FPS, draw_scene, render_clip, render_still, scene_motion
from .virtual_camera import VirtualCamera, photograph

VERSION = 1
"""Goes up when the scenes change: caches of another version are not taken."""


@DATASETS.register_module()
class ProceduralHDRDataset(BaseDataset):
    """Coloured HDR scenes with discs, boxes, glows, texture, highlights and occluding beams, and photographs of them.

    Stills for training by default, moving clips for testing with `num_clips` and `num_frames`. Everything is a
    pure function of (seed, index, frame). Radiance is rendered once, into a memory-mapped file of half floats
    under `data_root`; the photograph (random camera curve, clipping, 8 bits) is taken when it is asked for.
    All frames of a clip are taken with the same camera and exposure.

    An item holds `img`, the photograph (H, W, 3) uint8, and `gt`, linear radiance (H, W, 3) float32 with 1 where
    the sensor saturates, both RGB; and `clip` (name), `frame`, `num_frames` and `fps`.

    Args:
        num_images: Number of stills.
        size: Height and width in pixels.
        seed: Another seed, other scenes. Train and test with different ones.
        num_clips: Number of clips; if it is given, there are no stills.
        num_frames: Frames per clip.
        motion_lags: As in `HDRPanDataset`: for which lags items tell the exact `motion`.
        data_root: Folder of the rendered radiance.
        pipeline: Transforms of the items.

    Raises:
        ValueError: If a size or count is not positive, or only one of `num_clips` and `num_frames` is given.
    """

    METAINFO = dict(dataset_type="hdr", task_name="hdr_reconstruction")

    @check_arguments
    def __init__(
        self,
        num_images: Whole = 10000,
        *,
        size: Whole = 128,
        seed: Count = 0,
        num_clips: Whole | None = None,
        num_frames: Whole | None = None,
        motion_lags: Sequence[Positive | None] = (),
        data_root: str = "data/procedural_hdr",
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if (num_clips is None) != (num_frames is None):
            raise ValueError("`num_clips` and `num_frames` go together: give both for clips, neither for stills")
        self.num_clips = num_images if num_clips is None else num_clips
        self.num_frames = 1 if num_frames is None else num_frames
        self.size, self.seed = size, seed
        self.lags = [lag_frames(lag, FPS) for lag in motion_lags]
        self.camera = VirtualCamera(noise=0, hue=0, saturation=0, jpeg=False)
        super().__init__(data_root=data_root, pipeline=list(pipeline), serialize_data=False, **kwargs)
        check_crops(self.pipeline, (size, size), "a procedural image")

    def load_data_list(self) -> list[dict]:
        """One entry per frame; renders the radiance if the cache does not hold it yet."""
        name = f"v{VERSION}_seed{self.seed}_{self.num_clips}x{self.num_frames}_{self.size}px.npy"
        self._radiance = cached_array(
            Path(self.data_root) / name,
            shape=(self.num_clips * self.num_frames, self.size, self.size, 3),
            dtype="float16",
            rows=self._render(),
        )
        return [
            dict(
                clip=f"seed{self.seed}_{clip:05d}",
                clip_index=clip,
                frame=frame,
                num_frames=self.num_frames,
                gt_path=frame_name(f"seed{self.seed}_{clip:05d}", frame),
                fps=FPS,
            )
            for clip in range(self.num_clips)
            for frame in range(self.num_frames)
        ]

    def _render(self) -> Iterator[np.ndarray]:
        if self.num_frames == 1:
            yield from _stills(self.seed, self.num_clips, self.size)
        else:
            for clip in range(self.num_clips):
                yield from render_clip(draw_scene(self.seed, clip), self.num_frames, self.size)

    def get_data_info(self, idx: int) -> dict:
        """The item before the pipeline."""
        info = super().get_data_info(idx)
        radiance = self._radiance[info["clip_index"] * self.num_frames + info["frame"]].astype(np.float32)
        if self.lags:
            scene, now = draw_scene(self.seed, info["clip_index"]), info["frame"]
            info["motion"] = {
                lag: scene_motion(scene, now, now - lag, size=self.size) for lag in self.lags if lag <= now
            }
        rng = np.random.default_rng([self.seed, info["clip_index"], 1])
        shot = self.camera.draw(rng)
        image = photograph(radiance, shot, rng)
        return dict(info, img=image, gt=radiance, shot=shot, img_channel_order="rgb", gt_channel_order="rgb")


class _Stills(Dataset):
    """Stills by their number: what workers render."""

    def __init__(self, seed: int, count: int, size: int) -> None:
        self.seed, self.count, self.size = seed, count, size

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> np.ndarray:
        return render_still(draw_scene(self.seed, index), self.size)


def _stills(seed: int, count: int, size: int) -> Iterator[np.ndarray]:
    """Draws stills in order; many of them on all cores, unless this is itself a worker, which cannot have any."""
    many = count >= 1000 and not multiprocessing.current_process().daemon
    # torch's workers end when the process that they work for is killed; those of a pool would wait for ever
    workers = (os.cpu_count() or 1) if many else 0
    # a generator of its own: whether there was something to render must not decide what a run draws after it
    stills = DataLoader(_Stills(seed, count, size), None, num_workers=workers, generator=torch.Generator())
    for still in stills:
        yield still.numpy()
