"""Frames in another size, to be shown beside others."""

from __future__ import annotations

from collections.abc import Iterator

import cv2

from .frames import Frame, FrameSource


class ResizedFrames(FrameSource):
    """The frames of a source in another size: bicubic, or averages where they become smaller.

    Args:
        source: Display values.
        size: (H, W) in pixels.
    """

    def __init__(self, source: FrameSource, size: tuple[int, int]) -> None:
        super().__init__(source.name)
        self.rate, self.num_frames, self.notes = source.rate, source.num_frames, source.notes
        self.size, self.source = size, source

    def __iter__(self) -> Iterator[Frame]:
        height, width = self.size
        how = cv2.INTER_CUBIC if height > self.source.size[0] else cv2.INTER_AREA
        for frame in self.source:
            yield Frame(cv2.resize(frame.image, (width, height), interpolation=how), frame.time)

    def count(self) -> int:
        return self.source.count()
