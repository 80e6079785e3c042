"""The motion of the scene that videos show: estimated, or from files."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Executor, Future
from functools import reduce
from pathlib import Path

import torch
from torch import Tensor

from ...functional import Motion, compose, estimate_motion, reliable
from ...functional.motion import grey_levels
from ...meters import Picture
from ...meters.base import grey
from ...video.flow_files import UNKNOWN, read_flow


class EstimatedMotion:
    """Motion to each frame from the one `lag` before it, by OpenCV's DIS.

    Args:
        lag: In frames.
        pool: Where it is estimated, some frames at a time.
    """

    def __init__(self, lag: int, pool: Executor) -> None:
        self._guides: deque[Picture] = deque(maxlen=lag)
        self._pool = pool

    def step(self, guide: Picture) -> Future[Motion | None]:
        """The motion to the next frame, RGB display values; None for the first `lag`.

        What it raises in its place: ValueError, if it cannot be estimated.
        """
        then = self._guides[0] if len(self._guides) == self._guides.maxlen else None
        self._guides.append(now := guide.once(grey))
        return self._pool.submit(_estimate, now, then)


def _estimate(now: Picture, then: Picture | None) -> Motion | None:
    levels = now.once(grey_levels)
    return None if then is None else estimate_motion(levels, then.once(grey_levels))


class FlowFiles:
    """Exact motion of flow files from each frame to the one before (`measure_videos`), composed over `lag` frames.

    Raises:
        ValueError: If the folder does not hold them.
    """

    def __init__(self, folder: Path, lag: int) -> None:
        self.folder = folder
        forth, back = (sorted(path.glob("*.flo"), key=lambda file: file.name) for path in (folder, folder / "backward"))
        if not back or len(forth) not in (0, len(back)):
            counts = f"{len(back)} and {len(forth)}"
            raise ValueError(
                f"{folder / 'backward'} must hold .flo files from each frame to the one before, and {folder} none "
                f"or as many of the way forth; there are {counts}"
            )
        self.forth, self.back = forth, back
        self._steps: deque[Motion] = deque(maxlen=lag)
        self._count = 0
        self._failure: Exception | None = None

    def step(self, guide: Picture) -> Future[Motion | None]:
        """As of `EstimatedMotion`; after a file that cannot be read it is unknown: ValueError or OSError."""
        found: Future[Motion | None] = Future()
        try:
            if self._failure is None:
                found.set_result(self._next((guide.shape[-2], guide.shape[-1])))
        except (ValueError, OSError) as error:
            self._failure = error
        if self._failure is not None:
            found.set_exception(self._failure)
        return found

    def _next(self, size: tuple[int, int]) -> Motion | None:
        self._count += 1
        if self._count > 1:
            self._steps.append(self._read(self._count - 2, size))
        return reduce(compose, reversed(self._steps)) if len(self._steps) == self._steps.maxlen else None

    def _read(self, number: int, size: tuple[int, int]) -> Motion:
        """From frame `number + 1` to frame `number`.

        Raises:
            ValueError: If there is no such file, or it does not fit.
        """
        if number >= len(self.back):
            raise ValueError(f"{self.folder} holds {len(self.back)} flows, which are fewer than pairs of frames")
        flows: list[Tensor] = []
        for path in (self.back[number], *self.forth[number : number + 1]):
            flows.append(read_flow(path))
            if tuple(flows[-1].shape[1:]) != size:
                height, width = flows[-1].shape[1:]
                raise ValueError(f"{path} is of {width}x{height} pixels, the frames of {size[1]}x{size[0]}")
        known = (flows[0].abs() < UNKNOWN).all(dim=0, keepdim=True).float()
        back = torch.where(known > 0, flows[0], 0)
        return Motion(back, known * reliable(back, flows[1]) if len(flows) > 1 else known)
