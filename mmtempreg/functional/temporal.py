"""The paper's temporal high-pass (Eq. 9), exactly and in constant memory.

D(v) = |v - G_sigma * v|^2 is the energy above the low temporal frequencies, G_sigma a Gaussian in time, that of
`scipy.ndimage.gaussian_filter1d(mode='reflect', truncate=4)`. Everything is built on one streaming filter, which
holds some 2r+16 frames (r = 4 sigma fps) whatever the length of the clip. `meters.temporal` makes S and R of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .gaussian import gaussian_window

SIGMA = 0.15
"""Standard deviation of the temporal Gaussian in seconds (paper, section 4.1)."""

TRUNCATE = 4.0
"""The Gaussian ends after this many standard deviations, as in scipy."""


def gaussian_kernel(fps: float, sigma: float = SIGMA) -> Tensor:
    """The temporal Gaussian: (2r+1,) float64, sum 1, r = int(4 sigma fps + 0.5) frames.

    Raises:
        ValueError: If `fps` or `sigma` is not a positive number, or so small that the window is a single frame
            (the high-pass would be 0 and S meaningless).
    """
    if not (math.isfinite(fps) and fps > 0):
        raise ValueError(f"fps must be a positive number of frames per second, got {fps}")
    if not (math.isfinite(sigma) and sigma > 0):
        raise ValueError(f"sigma must be a positive number of seconds, got {sigma}")
    frames = sigma * fps
    radius = int(TRUNCATE * frames + 0.5)
    if radius == 0:
        raise ValueError(f"sigma={sigma} s at {fps} fps is {frames:.3g} frames: too short for any frame but its own")
    return gaussian_window(frames, radius)


def _highpass_rows(kernel: Sequence[float], centers: range, length: int, width: int) -> Tensor:
    """Rows of the high-pass: what each of `width` frames (frame i stands at i % width) gives to those at `centers`.

    A clip is continued by mirroring (d c b a | a b c d | d c b a).
    """
    radius, middle = len(kernel) // 2, np.array(centers)
    index = (middle[:, None] + np.arange(-radius, radius + 1)) % (2 * length)
    index = np.where(index < length, index, 2 * length - 1 - index)
    rows, number = np.zeros((len(middle), width)), np.arange(len(middle))
    rows[number, middle % width] = 1
    np.subtract.at(rows, (number[:, None], index % width), np.asarray(kernel))
    return torch.from_numpy(rows)


def highpass_matrix(num_frames: int, fps: float, sigma: float = SIGMA) -> Tensor:
    """The high-pass v - G_sigma * v of a whole clip as a matrix, (num_frames, num_frames) float64."""
    kernel = gaussian_kernel(fps, sigma).tolist()
    return _highpass_rows(kernel, range(num_frames), num_frames, num_frames)


class Piece(NamedTuple):
    """Some values of the high-pass of some frames; the next piece takes their place.

    Attributes:
        frames: Which frames.
        values: Which values of a flattened frame.
        highpass: (number of frames, number of values).
    """

    frames: slice
    values: slice
    highpass: Tensor


class TemporalHighpass:
    """v - G_sigma * v, frame by frame: `push` frames in order, then `flush`.

    The high-pass of `BLOCK` frames is computed at a time, when their windows are complete, as a product of a small
    matrix with all frames held: so these are read once, and not once for every frame. It comes in pieces
    that the processor's cache holds: what is done with a piece at once does not go through memory. Frames are held in
    the type they come in. Arithmetic is in float64 of float64, and in float32 of all others, of which integers stand
    for value / largest: so frames of 8 bits take a quarter of the memory that they would take as float32. All of it on
    the CPU, and without gradients.

    Args:
        fps: Frames per second.
        sigma: Standard deviation of the Gaussian in seconds.
    """

    BLOCK = 16
    STRIP = 1024
    """Values that lie together in memory for all frames held: so few that OpenBLAS multiplies without packing."""
    STRIPS = 16
    """Strips in a piece."""

    def __init__(self, fps: float, sigma: float = SIGMA) -> None:
        self.kernel = gaussian_kernel(fps, sigma).tolist()
        self.radius = len(self.kernel) // 2
        self._capacity = len(self.kernel) - 1 + self.BLOCK
        self._shape: torch.Size | None = None
        self._window = torch.empty(0)  # (strips, capacity, STRIP), a ring: frame i lies at i % capacity
        self._scratch = torch.empty(0)  # a piece of it in floating point
        self._found = torch.empty(0)  # the high-pass of a piece
        self._count = self._done = 0

    def push(self, frame: Tensor) -> Iterator[Piece]:
        """Takes the next frame, any shape; gives what is complete now, mostly nothing.

        Take all pieces before the next frame is pushed.

        Raises:
            ValueError: If the frame's shape differs from that of the frames before.
        """
        values, size = frame.detach().cpu().reshape(-1), self.STRIP
        whole, rest = divmod(values.numel(), size)
        if self._shape is None:
            self._shape = frame.shape
            self._window = values.new_empty((whole + bool(rest), self._capacity, size))
            self._window[whole:] = 0
        elif frame.shape != self._shape:
            expected, got = tuple(self._shape), tuple(frame.shape)
            raise ValueError(f"frame {self._count} has shape {got}, the frames before it {expected}")
        place = self._count % self._capacity
        self._window[:whole, place] = values[: whole * size].view(whole, size)
        if rest:
            self._window[whole, place, :rest] = values[whole * size :]
        self._count += 1
        # Mirroring at the end is not known yet, but these frames do not see it.
        return self._highpass(self.BLOCK if self._count - self.radius - self._done >= self.BLOCK else 0)

    def flush(self) -> Iterator[Piece]:
        """Gives what is complete now that the clip has ended; take all of it before another clip begins."""
        rest = [
            self._highpass(min(self.BLOCK, self._count - first)) for first in range(self._done, self._count, self.BLOCK)
        ]
        self._shape, self._count, self._done = None, 0, 0
        return chain.from_iterable(rest)

    def _highpass(self, number: int) -> Iterator[Piece]:
        """The high-passes of the next `number` frames."""
        if number == 0 or self._shape is None:
            return iter(())
        frames = slice(self._done, self._done + number)
        held = min(self._count, self._capacity)
        weights = _highpass_rows(self.kernel, range(frames.start, frames.stop), self._count, self._capacity)[:, :held]
        self._done += number
        window = self._window[:, :held]
        if not window.is_floating_point():
            weights /= torch.iinfo(window.dtype).max
        dtype = torch.float64 if window.dtype == torch.float64 else torch.float32
        if dtype != self._found.dtype or not self._found.numel():
            self._found = torch.empty(self.BLOCK * self.STRIPS * self.STRIP, dtype=dtype)
        if dtype != window.dtype and self._scratch.shape[1:2] != (held,):
            self._scratch = torch.empty(self.STRIPS, held, self.STRIP)
        return self._pieces(weights.to(self._found), window, frames, self._shape.numel())

    def _pieces(self, weights: Tensor, window: Tensor, frames: slice, length: int) -> Iterator[Piece]:
        start = 0
        for strips in window.split(self.STRIPS):
            values = slice(start, min(start + strips.shape[0] * strips.shape[2], length))
            if strips.dtype != weights.dtype:
                strips = self._scratch[: len(strips)].copy_(strips)
            shape = (weights.shape[0], strips.shape[0], self.STRIP)
            highpass = self._found[: math.prod(shape)].view(shape)
            # NumPy's product of matrices as small as these is nearly twice as fast as torch's, on one core
            np.matmul(weights.numpy(), strips.numpy(), out=highpass.transpose(0, 1).numpy())
            yield Piece(frames, values, highpass.flatten(1)[:, : values.stop - start])
            start = values.stop


def temporal_highpass(video: Tensor, fps: float, sigma: float = SIGMA) -> Tensor:
    """v - G_sigma * v along the first dimension of a (T, ...) video, same shape."""
    stream, out = TemporalHighpass(fps, sigma), torch.empty_like(video, memory_format=torch.contiguous_format)
    for frame in video:
        _fill(out, stream.push(frame))
    _fill(out, stream.flush())
    return out


def _fill(out: Tensor, pieces: Iterable[Piece]) -> None:
    for frames, values, highpass in pieces:
        out[frames].flatten(1)[:, values] = highpass


def highpass_energy(video: Tensor, fps: float, sigma: float = SIGMA) -> Tensor:
    """D(v) = |v - G_sigma * v|^2 of Eq. 9, per value: (T, C, H, W) to (T, C, H, W)."""
    return temporal_highpass(video, fps, sigma).square()
