"""ColorVideoVDP: its authors' program (`cvvdp`, an optional package), fed frame by frame."""

from __future__ import annotations

import math
from queue import Queue
from threading import Thread
from typing import Any

import torch
from torch import Tensor

from ..functional import Motion
from .base import Clip, Mean, MeanMeter, Picture

DISPLAY = "standard_4k"


def _queued_frames(photometry: Any, size: tuple[int, int, int], rate: float, frames: Queue) -> Any:
    """Source of frames for cvvdp: each once, in order, of the processed video before that of the reference."""
    from pycvvdp.video_source import video_source_dm

    class QueuedFrames(video_source_dm):
        def get_video_size(self) -> tuple[int, int, int]:
            return size

        def get_frames_per_second(self) -> float:
            return rate

        def get_test_frame(self, frame: int, device: torch.device, colorspace: str) -> Tensor:
            test, self._reference = frames.get()
            return self._displayed(test, device, colorspace)

        def get_reference_frame(self, frame: int, device: torch.device, colorspace: str) -> Tensor:
            return self._displayed(self._reference, device, colorspace)

        def _displayed(self, image: Tensor, device: torch.device, colorspace: str) -> Tensor:
            return self.apply_dm_and_color_transform(image[None, :, None].to(device), colorspace)

    return QueuedFrames(display_photometry=photometry)


class VideoVDPMeter(MeanMeter):
    """ColorVideoVDP (Mantiuk et al. 2024) in JOD: 10 is no visible difference; of 1 less 75 % would choose the better.

    It needs the package cvvdp, and takes longer than all others together. cvvdp asks for the frames of a video one
    after another: it runs in a thread, which waits for them, so that only a quarter of a second is held.

    Args:
        num_frames: Length of the clip, which cvvdp wants to know in advance.
        rate: Frames per second.
        screen: Name of a display model of cvvdp, of standard dynamic range.

    Raises:
        ImportError: If cvvdp is not installed.
        ValueError: If it knows no such display.
    """

    name, metric, title, spec, better = "vdp", "VideoVDP", "JOD", ".2f", "higher"
    display, default, ideal = True, False, 10.0
    about = "ColorVideoVDP: what people see on a 4K display; 10 is no difference"

    def __init__(self, num_frames: int, rate: float, screen: str = DISPLAY) -> None:
        try:
            import pycvvdp  # takes seconds, and may be missing
        except ImportError as error:
            # With its dependencies would come a huggingface_hub that MMagic's diffusers cannot use.
            command = "pip install --no-deps cvvdp ffmpeg-python future"
            raise ImportError(f"ColorVideoVDP needs the package cvvdp ({error}): {command}") from error
        super().__init__()
        try:
            self._metric = pycvvdp.cvvdp(display_name=screen, device=torch.device("cpu"), quiet=True)
        except pycvvdp.vq_exception as error:
            raise ValueError(f"cvvdp: {error}") from error
        self._num_frames, self._rate = num_frames, rate
        self._thread: Thread | None = None
        self._count = 0

    @classmethod
    def of_clip(cls, clip: Clip, **options: Any) -> VideoVDPMeter:
        return cls(clip.num_frames, clip.fps, **options)

    def measure(self, pred: Picture, target: Picture, mask: Tensor | None, motion: Motion | None) -> None:
        """Passes the next frame on, and that of the reference.

        Raises:
            ValueError: If there are more than `num_frames`.
        """
        frame, reference = pred.floats(), target.floats()
        if self._count == self._num_frames:
            raise ValueError(f"the clip has more than the {self._num_frames} frames it was said to have")
        if self._thread is None:
            self._frames: Queue[tuple[Tensor, Tensor] | None] = Queue(maxsize=2)
            self._outcome: float | BaseException = math.nan
            size = (frame.shape[-2], frame.shape[-1], self._num_frames)
            self._thread = Thread(target=self._run, args=(size,), daemon=True)
            self._thread.start()
        self._count += 1
        self._frames.put((frame, reference))

    def finish(self) -> Mean:
        """JOD, of one clip.

        Raises:
            ValueError: If there were fewer than `num_frames`.
        """
        if self._thread is None or self._count < self._num_frames:
            raise ValueError(f"the clip has {self._count} frames, it was said to have {self._num_frames}")
        self._frames.put(None)
        self._thread.join()
        self._thread, self._count = None, 0
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return Mean(self._outcome, 1.0)

    def _run(self, size: tuple[int, int, int]) -> None:
        try:
            with torch.inference_mode():
                source = _queued_frames(self._metric.display_photometry, size, self._rate, self._frames)
                self._outcome = float(self._metric.predict_video_source(source)[0])
        except BaseException as error:  # `finish` raises it
            self._outcome = error
            while self._frames.get() is not None:  # nobody must wait for a place in the queue
                pass
