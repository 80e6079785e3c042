"""Any image-to-image model of MMagic as a function from RGB frames to RGB frames."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.logging import print_log
from torch import Tensor, nn

from ..functional import exp_radiance, log_radiance, white_of
from ..openmmlab.configs import type_name
from ..transforms.shift import PAD_MULTIPLES, on_canvas
from ..utils.half_precision import slow_bfloat16
from .model import load_model

SMALLEST_TILE = 16

SHIFT_REACH = 8
"""Pixels that frames are shifted by at most, and one."""
MOST_SHIFTS = 16

SMALL_FRAME = 2**19
"""Pixels of a frame, or of a tile, of which several may be computed at a time on a CPU: the memory does not matter."""


BEYOND = 0.5
"""How far outside of [0, 1] display values may lie: resampling overshoots, and 8 bits go to 255."""


def as_display(frames: Tensor) -> Tensor:
    """Frames as float32 display values, black at 0 and white at 1.

    Args:
        frames: (N, 3, H, W) RGB: floating point in [0, 1] and `BEYOND`, taken as they are, or uint8 or uint16.

    Raises:
        ValueError: If they have another shape, type or range, or are none; the message says what helps.
    """
    if frames.ndim != 4 or frames.shape[1] != 3 or 0 in frames.shape:
        hint = {3: ": one frame is frame.unsqueeze(0)", 4: ""}.get(frames.ndim, "")
        if frames.shape[-1:] == (3,):
            hint = ": channels come before rows and columns, as of frames.permute(0, 3, 1, 2)"
        raise ValueError(f"frames must be (N, 3, H, W) RGB, at least one, got {tuple(frames.shape)}{hint}")
    if not frames.is_floating_point():
        return frames.float() / white_of(frames.dtype)
    low, high = (float(value) for value in frames.aminmax())
    if not (low >= -BEYOND and high <= 1 + BEYOND):
        raise ValueError(
            f"frames hold values from {low:g} to {high:g}, and display values lie in [0, 1]: divide those of 8 bits by "
            "255, and tone-map radiance"
        )
    return frames.float()


def check_device(name: str) -> None:
    """Raises ValueError if there is no such device here."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"there is no device {name!r} (cpu, cuda, cuda:1, ...): {reason}") from error


class FrameModel:
    """A model with its checkpoint, from batches of RGB frames to batches of RGB frames.

    Stock configs and wrapped ones both work: `BaseEditModel` and its kin (super-resolution and GANs included),
    `Pix2Pix`, `InstColorization`, and our own models. Frames are padded by reflection to a multiple that the network
    takes, found by trying, and cut again.

    Args:
        config: Config of the model.
        checkpoint: Its weights.
        device: 'cpu', 'cuda', 'cuda:1', ...
        half: Run the network in half precision (float16 on a GPU, bfloat16 on a CPU; on one that has none of its own
            float32, with a warning).
        tile: Edge of the tiles in pixels that larger frames are cut into; None: frames are taken whole.
        tile_overlap: Pixels that neighbouring tiles share; the seam is blended over them.
        shifts: Predict each frame from so many places on the pixel grid and take the mean, of the logarithm if it is
            radiance: steadier without any training, at `shifts` times the cost. Of a network that invents detail the
            mean is a blur.

    Attributes:
        radiance: Whether it predicts linear radiance, and not display values.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the checkpoint cannot be read or is of another network, there is no such device, the overlap
            does not fit the tiles, or there are both shifts and tiles; when called, if these are no frames
            (`as_display`), the network takes none of this size, or returns some that are not a whole multiple of it.
    """

    def __init__(
        self,
        config: Config,
        checkpoint: str,
        *,
        device: str = "cpu",
        half: bool = False,
        tile: int | None = None,
        tile_overlap: int = 32,
        shifts: int = 1,
    ) -> None:
        _check_options(device, tile, tile_overlap, shifts)
        model = load_model(config, checkpoint, device)
        self._take(model, pipeline_order(config), device, half, tile, tile_overlap, shifts)

    @classmethod
    def of_model(cls, model: Any, order: str = "BGR", device: str = "cpu") -> FrameModel:
        """Wraps a model that has its weights already.

        Args:
            model: Ready for inference, on the device.
            order: Channel order in which its pipeline loads images.
            device: As above.
        """
        made = cls.__new__(cls)
        made._take(model, order, device, False, None, 32, 1)
        return made

    def _take(
        self, model: Any, order: str, device: str, half: bool, tile: int | None, tile_overlap: int, shifts: int
    ) -> None:
        from ..models.siamese.families import EditFamily, known_family, predicts_radiance

        self.model = model
        if all(parameter.ndim < 5 for parameter in self.model.parameters()):
            # a fifth faster on a CPU (docs/video.md), and the same but for rounding
            self.model.to(memory_format=torch.channels_last)
        self.family = known_family(type(self.model)) or EditFamily
        self.device, self.tile, self.tile_overlap = torch.device(device), tile, tile_overlap
        self.half = half and self._half_is_faster()
        self.radiance = predicts_radiance(self.model)
        self.shifts = shifts
        self._order = order
        self._multiple: int | None = None
        self.scale = 1

    @torch.no_grad()
    def __call__(self, frames: Tensor) -> Tensor:
        """(N, 3, H, W) RGB display values, as of `as_display`, to (N, 3, sH, sW) float32: in [0, 1], or radiance."""
        frames = as_display(frames)
        if self.shifts > 1:
            return self._averaged(frames)
        if self.tile is None or max(frames.shape[-2:]) <= self.tile:
            return self._padded(frames)
        return self._tiled(frames, self.tile)

    def _half_is_faster(self) -> bool:
        reason = slow_bfloat16("cpu") if self.device.type == "cpu" else None
        if reason:
            print_log(f"Half precision is left out: {reason}", "current", logging.WARNING)
        return reason is None

    def _averaged(self, frames: Tensor) -> Tensor:
        """The mean over shifts: the frame in several places on a canvas that continues it mirrored."""
        height, width = frames.shape[-2:]
        total: Tensor | None = None
        for down, right in shift_positions(self.shifts):
            out = self._padded(on_canvas(frames, (down, right), (height + SHIFT_REACH, width + SHIFT_REACH)))
            s = self.scale
            out = out[..., down * s : (down + height) * s, right * s : (right + width) * s]
            value = log_radiance(out) if self.radiance else out
            total = value if total is None else total + value
        assert total is not None
        mean = total / self.shifts
        return exp_radiance(mean) if self.radiance else mean

    def at_once(self, shape: Sequence[int]) -> int:
        """Number of batches of this size (N, 3, H, W) that may run at the same time, each in a thread."""
        pixels = shape[0] * math.prod(min(length, self.tile or length) for length in shape[-2:])
        dropout = any(isinstance(part, nn.Dropout) and part.training for part in self.model.modules())
        if self.device.type != "cpu" or pixels > SMALL_FRAME or dropout:  # which draws in turns
            return 1
        return min(torch.get_num_threads(), 4)

    def _tiled(self, frames: Tensor, tile: int) -> Tensor:
        height, width = frames.shape[-2:]
        total: Tensor | None = None
        for top, bottom in _spans(height, tile, self.tile_overlap):
            for left, right in _spans(width, tile, self.tile_overlap):
                out = self._padded(frames[..., top:bottom, left:right])
                s = self.scale
                if total is None:
                    total = out.new_zeros(*out.shape[:2], height * s, width * s)
                    weights = torch.zeros_like(total[:1, :1])
                ramps = [_ramp(n, self.tile_overlap * s, out) for n in out.shape[-2:]]
                weight = ramps[0][:, None] * ramps[1][None, :]
                window = (..., slice(top * s, bottom * s), slice(left * s, right * s))
                total[window] += out * weight
                weights[window] += weight
        assert total is not None
        return total / weights

    def _padded(self, frames: Tensor) -> Tensor:
        failure: Exception | None = None
        # what the frames before were padded to may be too little for another size
        for multiple in (m for m in PAD_MULTIPLES if m >= (self._multiple or 1)):
            try:
                out = self._run(frames, multiple)
            except (RuntimeError, ValueError, AssertionError) as error:
                if "out of memory" in str(error):
                    raise
                failure = failure or error
            else:
                self._multiple = multiple
                return out
        size = f"{frames.shape[-1]}x{frames.shape[-2]}"
        raise ValueError(
            f"the network takes no frame of {size} pixels, padded to multiples of up to {PAD_MULTIPLES[-1]} or not"
        ) from failure

    def _run(self, frames: Tensor, multiple: int) -> Tensor:
        height, width = frames.shape[-2:]
        x = _pad(frames, -height % multiple, -width % multiple)
        precision = torch.float16 if self.device.type == "cuda" else torch.bfloat16
        with torch.autocast(self.device.type, dtype=precision) if self.half else nullcontext():
            out = self.family.predict_rgb(self.model, x.to(self.device), self._order).float().cpu()
        scale = out.shape[-1] // x.shape[-1]
        if scale < 1 or out.shape[-2:] != (x.shape[-2] * scale, x.shape[-1] * scale):
            got = tuple(out.shape[-2:])
            raise ValueError(f"the network returns {got} for {tuple(x.shape[-2:])}, which is no whole multiple")
        self.scale = scale
        return out[..., : height * scale, : width * scale]


def _check_options(device: str, tile: int | None, tile_overlap: int, shifts: int) -> None:
    """Raises ValueError as `FrameModel` says."""
    if not 1 <= shifts <= MOST_SHIFTS or (shifts > 1 and tile is not None):
        raise ValueError(f"shifts must be from 1 to {MOST_SHIFTS}, and 1 with tiles: got shifts={shifts}, tile={tile}")
    if tile is not None and tile < SMALLEST_TILE:
        raise ValueError(f"tile must be {SMALLEST_TILE} pixels at least, got {tile}: smaller ones take for ever")
    check_device(device)
    if tile is not None and not 0 <= tile_overlap < tile / 2:
        raise ValueError(f"tiles of {tile} pixels can overlap by less than half of that, not by {tile_overlap}")


def shift_positions(number: int) -> list[tuple[int, int]]:
    """Up to 16 places (down, right) within `SHIFT_REACH` pixels: four in a row have all phases of a stride of 2."""
    return [(5 * i % SHIFT_REACH, (3 * i + i // 2) % SHIFT_REACH) for i in range(number)]


def pipeline_order(config: Config) -> str:
    """The channel order in which the config's pipeline loads images: the network may have been trained on it."""
    for name in ("test_dataloader", "val_dataloader", "train_dataloader"):
        loaders = config.get(name) or []
        for loader in loaders if isinstance(loaders, list) else [loaders]:
            dataset = loader.dataset
            while "dataset" in dataset:
                dataset = dataset.dataset
            for step in dataset.get("pipeline", []):
                if type_name(step) in ("LoadImageFromFile", "LoadPairedImageFromFile") and step.get("key") != "gt":
                    return step.get("channel_order", "bgr").upper()
    return "BGR"


def _pad(x: Tensor, down: int, right: int) -> Tensor:
    """Continues images downwards and to the right, mirrored as far as they reach and then replicated."""
    if not (down or right):
        return x
    if down < x.shape[-2] and right < x.shape[-1]:
        return F.pad(x, (0, right, 0, down), mode="reflect")
    return F.pad(x, (0, right, 0, down), mode="replicate")


def _spans(length: int, tile: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Begin and end of tiles over `length` pixels, all of the same size."""
    if length <= tile:
        yield 0, length
        return
    step = tile - overlap
    for start in range(0, length - overlap, step):
        begin = min(start, length - tile)
        yield begin, begin + tile
        if begin + tile == length:
            return


def _ramp(length: int, overlap: int, like: Tensor) -> Tensor:
    """Weights of a tile along one axis: falling to its ends over the overlap."""
    distance = torch.arange(length, dtype=like.dtype, device=like.device)
    distance = torch.minimum(distance, distance.flip(0)) + 0.5
    return (distance / max(overlap, 1)).clamp(max=1)
