"""Pairs of clips, before and after a processing that flickers, with the optical flow of the original."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import torch
from annotated_types import Ge, Interval
from mmagic.registry import DATASETS
from mmengine.dataset import BaseDataset
from torch import Tensor

from ..functional import estimate_flow, warp_by_flow
from ..utils.validation import OneOf, Rising, Whole, check_arguments
from ..video import open_frames
from ..video.flow_files import read_flow
from ..video.image_files import read_image

Factor = Annotated[float, Interval(gt=0, le=100)]


@DATASETS.register_module()
class ClipPairDataset(BaseDataset):
    """Pieces of clips to train `BlindConsistencyModel` on (Lai et al. 2018).

    The folder holds `original/CLIP/` and `processed/CLIP/` with frames of the same names, of which an item is
    `num_frames` in a row: a random piece of clip i modulo their number, cropped, mirrored and reversed in time at
    random. Items have `inputs` (T, 6, H, W) uint8, RGB of the processed and of the original frame, `flow`
    (T-1, 2, H, W) from each original frame to the one before, and `flow_to_first` to the first. Collate them with
    `default_collate`.

    Args:
        data_root: The folder.
        num_frames: Frames of an item, 2 at least; 11 is the authors'.
        crop_size: Edge of the crop in pixels; 192 is the authors'.
        scale: Range that frames are enlarged by before they are cropped, never below the crop; (0.5, 2): the authors'.
        flow: 'files': from `flow/CLIP/NAME.flo`, each frame's to the one before (the first frame of a clip has none;
            longer ones are composed), for the clips that have that folder; of others, and with 'dis' of all, it is
            estimated by OpenCV (the authors: FlowNet2).
        num_items: Items of an epoch; None: one for each clip.

    Raises:
        FileNotFoundError: If folders are missing.
        ValueError: If options are out of range, or the two clips of a pair do not fit: the message names the clip.
    """

    METAINFO = dict(dataset_type="clip_pairs", task_name="temporal_consistency")

    @check_arguments
    def __init__(
        self,
        data_root: str,
        *,
        num_frames: Annotated[int, Interval(ge=2, le=10**6)] = 11,
        crop_size: Annotated[int, Ge(16)] = 192,
        scale: Annotated[tuple[Factor, Factor], Rising()] = (1.0, 1.0),
        flow: Annotated[str, OneOf(("files", "dis"))] = "files",
        num_items: Whole | None = None,
        **kwargs: Any,
    ) -> None:
        self.num_frames, self.crop_size, self.scale, self.flow = num_frames, crop_size, scale, flow
        self.num_items = num_items
        super().__init__(data_root=data_root, pipeline=[], serialize_data=False, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry for each item."""
        root = Path(self.data_root)
        if not (root / "original").is_dir() or not (root / "processed").is_dir():
            raise FileNotFoundError(f"{root} must hold the folders `original` and `processed`")
        pairs = [self._pair(root, path.name) for path in sorted((root / "processed").iterdir()) if path.is_dir()]
        if not pairs:
            raise FileNotFoundError(f"{root}/processed holds no folder of frames")
        return [pairs[i % len(pairs)] for i in range(self.num_items or len(pairs))]

    def _pair(self, root: Path, clip: str) -> dict:
        sources = [open_frames(root / kind / clip, rate=24) for kind in ("original", "processed")]
        files = [source.files for source in sources]  # type: ignore[attr-defined]
        if [f.stem for f in files[0]] != [f.stem for f in files[1]] or sources[0].size != sources[1].size:
            raise ValueError(f"clip {clip!r}: original and processed frames differ in names, number or size")
        if len(files[0]) < self.num_frames or min(sources[0].size) < self.crop_size:
            height, width = sources[0].size
            raise ValueError(
                f"clip {clip!r} has {len(files[0])} frames of {width}x{height}: too few for num_frames="
                f"{self.num_frames}, or too small for crop_size={self.crop_size}"
            )
        folder = root / "flow" / clip
        in_files = self.flow == "files" and folder.is_dir()
        flows = [folder / f"{file.stem}.flo" for file in files[0]] if in_files else None
        if flows and (missing := [path for path in flows[1:] if not path.is_file()]):
            raise FileNotFoundError(f"clip {clip!r}: there is no flow {missing[0]}")
        return dict(clip=clip, original=files[0], processed=files[1], flow=flows)

    def prepare_data(self, idx: int) -> dict:
        """An item, drawn with NumPy's global generator: MMEngine seeds it, as all its transforms'."""
        pair = self.get_data_info(idx)
        start = np.random.randint(len(pair["original"]) - self.num_frames + 1)
        names = range(start, start + self.num_frames)
        backwards = not pair["flow"] and np.random.rand() < 0.5  # files hold the flow of one direction
        frames = np.stack([self._frame(pair, n) for n in (reversed(names) if backwards else names)])
        factor = max(np.random.uniform(*self.scale), self.crop_size / min(frames.shape[1:3]))
        if factor != 1:
            frames = np.stack([_resize(frame, factor) for frame in frames])
        top, left = (np.random.randint(extent - self.crop_size + 1) for extent in frames.shape[1:3])
        window = (slice(top, top + self.crop_size), slice(left, left + self.crop_size))
        mirror = np.random.rand() < 0.5
        frames = frames[:, *window][:, :, :: -1 if mirror else 1]
        inputs = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
        if pair["flow"]:
            flow = torch.stack([_resized_flow(read_flow(pair["flow"][n]), factor)[:, *window] for n in names[1:]])
            if mirror:
                flow = flow.flip(-1) * flow.new_tensor([-1, 1]).view(2, 1, 1)
            return dict(inputs=inputs, flow=flow, flow_to_first=_composed(flow))
        images = inputs[:, 3:].float() / 255
        pairs = range(1, self.num_frames)
        flow = torch.stack([estimate_flow(images[t], images[t - 1]) for t in pairs])
        return dict(
            inputs=inputs, flow=flow, flow_to_first=torch.stack([estimate_flow(images[t], images[0]) for t in pairs])
        )

    def _frame(self, pair: dict, number: int) -> np.ndarray:
        frame = np.concatenate([read_image(pair[kind][number]) for kind in ("processed", "original")], axis=-1)
        if frame.dtype != np.uint8:
            raise ValueError(f"clip {pair['clip']!r}: frames must have 8 bits, got {frame.dtype}")
        return frame


def _resize(frame: np.ndarray, factor: float) -> np.ndarray:
    height, width = (round(extent * factor) for extent in frame.shape[:2])
    halves = [cv2.resize(np.ascontiguousarray(half), (width, height)) for half in (frame[..., :3], frame[..., 3:])]
    return np.concatenate(halves, axis=-1)


def _resized_flow(flow: Tensor, factor: float) -> Tensor:
    if factor == 1:
        return flow
    height, width = (round(extent * factor) for extent in flow.shape[-2:])
    values = cv2.resize(flow.permute(1, 2, 0).numpy(), (width, height)) * np.float32(factor)
    return torch.from_numpy(values).permute(2, 0, 1)


def _composed(flow: Tensor) -> Tensor:
    """Flow of each frame to the first out of those to the one before, (T-1, 2, H, W)."""
    to_first = [flow[0]]
    for step in flow[1:]:
        to_first.append(step + warp_by_flow(to_first[-1], step))
    return torch.stack(to_first)
