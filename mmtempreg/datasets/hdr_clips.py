"""HDR video: sequences of .exr or .hdr frames, photographed frame by frame as an ordinary camera would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Interval
from mmagic.registry import DATASETS

from ..utils.validation import Count, FrameRate, Size, Whole, check_arguments
from .clips import ClipDataset, ClipEntry
from .virtual_camera import Shot, VirtualCamera, exposure_for, photograph, shift_colour

LOOK_AT = 8
"""Frames of a clip by which its exposure is chosen."""


class _Take(NamedTuple):
    """The choices that are fixed for a clip."""

    clip: str
    exposure: float
    shot: Shot


@DATASETS.register_module()
class HDRClipDataset(ClipDataset):
    """Clips of true HDR video (HdM-HDR, DML-HDR, your own), with photographs of their frames to reconstruct them from.

    A clip is a folder of .exr or .hdr frames with linear RGB radiance. One exposure and one camera stand for the whole
    clip: so many of its pixels saturate as `saturated` says, over frames from the whole clip. Items are those of
    `ProceduralHDRDataset`; camera and noise are a pure function of (seed, clip, frame).

    Args:
        data_root: The folder of the clips' folders.
        list_file, size, fps, shortest, longest, pipeline: As in `ClipDataset`; `fps` must be given.
        saturated: Share of the pixels that saturate in a clip.
        camera: Arguments of `VirtualCamera`. Without JPEG, noise and shifts of colour by default.
        seed: Seed of camera and noise.

    Raises:
        ValueError: If `saturated` is not a share; when read, if a frame holds no radiance, or NaN, infinite or negative
            values: the message names the clip or the file.
    """

    METAINFO = dict(dataset_type="hdr", task_name="hdr_reconstruction")

    @check_arguments
    def __init__(
        self,
        data_root: str,
        *,
        list_file: str | None = None,
        size: Size | None = None,
        fps: FrameRate = 24.0,
        shortest: Whole = 50,
        longest: Whole = 200,
        saturated: Annotated[float, Interval(gt=0, lt=1)] = 0.1,
        camera: dict | None = None,
        seed: Count = 0,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        self.saturated, self.seed = saturated, seed
        self.camera = VirtualCamera(**{**dict(noise=0.0, hue=0.0, saturation=0.0, jpeg=False), **(camera or {})})
        self._take: _Take | None = None  # of the clip read last
        super().__init__(
            data_root,
            list_file=list_file,
            size=size,
            fps=fps,
            shortest=shortest,
            longest=longest,
            pipeline=pipeline,
            **kwargs,
        )

    def get_data_info(self, idx: int) -> dict:
        """The item before the pipeline."""
        info = super(ClipDataset, self).get_data_info(idx)
        entry, frame = self._entries[info["clip"]], info["frame"]
        number = list(self._entries).index(entry.clip)
        if self._take is None or self._take.clip != entry.clip:
            shot = self.camera.draw(np.random.default_rng([self.seed, number]))
            self._take = _Take(entry.clip, self._exposure(entry), shot)
        radiance = self._read(entry, frame) * np.float32(self._take.exposure)
        radiance = shift_colour(radiance, self._take.shot.hue, self._take.shot.saturation)
        image = photograph(radiance, self._take.shot, np.random.default_rng([self.seed, number, frame]))
        return dict(info, img=image, gt=radiance, img_channel_order="rgb", gt_channel_order="rgb")

    def _exposure(self, entry: ClipEntry) -> float:
        step = max(entry.num_frames // LOOK_AT, 1)
        frames = islice(self._open(entry), entry.start, entry.start + entry.num_frames, step)
        return exposure_for(np.stack([self._prepared(frame.image, entry) for frame in frames]), 1 - self.saturated)

    def _checked(self, image: np.ndarray, entry: ClipEntry) -> np.ndarray:
        if image.dtype != np.float32:
            raise ValueError(f"clip {entry.clip!r}: {entry.path} holds {image.dtype}; radiance (.exr, .hdr) is needed")
        return image
