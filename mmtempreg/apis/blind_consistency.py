"""Blind video consistency as a function of frames, for `process_video`."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from mmengine.config import Config
from torch import Tensor

from ..video import Frame, FrameSource
from .model import load_model
from .video_processing import to_tensor


class BlindConsistency:
    """Makes processed frames agree over time, given the originals: a `BlindConsistencyModel` over one video at a time.

    Args:
        config: With a `BlindConsistencyModel`.
        checkpoint: Its weights.
        device: 'cpu', 'cuda', ...

    Raises:
        FileNotFoundError, RuntimeError: As `load_model`.
    """

    def __init__(self, config: Config, checkpoint: str, device: str = "cpu") -> None:
        self.model, self.device = load_model(config, checkpoint, device), device
        self.start()

    def start(self) -> None:
        """Begins a video."""
        self._before: tuple[Tensor, Tensor] | None = None  # output, original
        self._state: tuple[Tensor, Tensor] | None = None

    @torch.no_grad()
    def __call__(self, processed: Tensor, original: Tensor) -> Tensor:
        """The next frame, (1, 3, H, W) RGB display values in [0, 1] each, to the same."""
        output, original = processed.to(self.device), original.to(self.device)
        if self._before is not None:
            output, self._state = self.model.step(output, self._before[0], original, self._before[1], state=self._state)
            output = output.clamp(0, 1)
        self._before = output, original
        return output.cpu()


class BlindConsistencyFilter:
    """`BlindConsistency` of a processed video, with the original read alongside.

    Called with the processed video's frames in order. One filter serves one video, once.

    Args:
        config, checkpoint, device: As of `BlindConsistency`.
        original: The video before it was processed.

    Raises:
        FileNotFoundError, RuntimeError: As `load_model`.
        ValueError: When called, if the original has other frames than the processed video.
    """

    def __init__(self, config: Config, checkpoint: str, original: FrameSource, *, device: str = "cpu") -> None:
        self.consistency, self.original = BlindConsistency(config, checkpoint, device), original
        self._frames: Iterator[Frame] = iter(original)
        self._count = 0

    def __call__(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) RGB display values in [0, 1], the next frames, to the same."""
        return torch.cat([self._next(frame.unsqueeze(0)) for frame in frames])

    def _next(self, processed: Tensor) -> Tensor:
        frame = next(self._frames, None)
        if frame is None:
            raise ValueError(f"{self.original.name} ends before its frame {self._count}: it is not the original")
        original = to_tensor([frame], self.original.name)
        if original.shape != processed.shape:
            sizes = [f"{image.shape[-1]}x{image.shape[-2]}" for image in (original, processed)]
            raise ValueError(f"frame {self._count} is {sizes[0]} in {self.original.name}, and {sizes[1]} processed")
        self._count += 1
        return self.consistency(processed, original)
