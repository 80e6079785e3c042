"""Ordered clips of videos and frame folders, chosen, cut and cropped by a list."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmagic.registry import DATASETS
from mmengine.dataset import BaseDataset

from ..utils.atomic_write import replace_when_written
from ..utils.validation import FrameRate, Size, Whole, check_arguments
from ..video import Frame, FrameSource, open_frames
from ..video.frames import check_steady
from .clip_sampler import frame_name

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")


@dataclass(frozen=True)
class ClipEntry:
    """A line of a list of clips.

    Attributes:
        clip: Name of the clip, of which there is one.
        path: Path of the video or folder of frames, in the list's root.
        start: First frame.
        num_frames: Length.
        x, y, width, height: Crop in pixels of the video; width 0: the whole frame.
    """

    clip: str
    path: str
    start: int
    num_frames: int
    _: KW_ONLY
    x: int = 0
    y: int = 0
    width: int = 0
    height: int = 0


def write_clip_list(path: str | Path, entries: Sequence[ClipEntry]) -> None:
    """Writes a list of clips (.csv with a header)."""
    with replace_when_written(path) as partial, open(partial, "w", newline="", errors="surrogateescape") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(ClipEntry)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(entry) for entry in entries)


def read_clip_list(path: str | Path) -> list[ClipEntry]:
    """Reads a list of clips; columns of the crop may be left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line cannot be understood, or a name comes twice; the message names the line.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no list of clips {path}")
    entries: dict[str, ClipEntry] = {}
    with open(path, newline="", errors="surrogateescape") as file:
        for row in csv.DictReader(file):
            number = len(entries) + 2
            try:
                numbers = {f.name: int(row[f.name]) for f in fields(ClipEntry)[2:] if row.get(f.name) not in (None, "")}
                entry = ClipEntry(row["clip"], row["path"], **numbers)
            except (KeyError, TypeError, ValueError) as error:
                columns = ", ".join(field.name for field in fields(ClipEntry))
                raise ValueError(f"{path}, line {number}: {error}; the columns are {columns}") from error
            if entry.start < 0 or entry.num_frames < 1 or min(entry.x, entry.y, entry.width, entry.height) < 0:
                raise ValueError(f"{path}, line {number}: numbers must not be negative, num_frames 1 at least: {entry}")
            if entry.clip in entries:
                raise ValueError(f"{path}, line {number}: the clip {entry.clip!r} is there twice")
            entries[entry.clip] = entry
    if not entries:
        raise ValueError(f"{path} lists no clip")
    return list(entries.values())


def find_clips(
    root: str | Path, *, shortest: int = 50, longest: int = 200, rate: float | None = None
) -> list[ClipEntry]:
    """All videos and folders of frames in a folder, cut to `longest` frames; shorter ones are left out.

    Raises:
        FileNotFoundError: If the folder is not there, or holds no such clip.
    """
    if not Path(root).is_dir():
        raise FileNotFoundError(f"{root}: no such folder of clips")
    entries = []
    for path in sorted(Path(root).iterdir()):
        if path.suffix.lower() in VIDEO_SUFFIXES or path.is_dir():
            count = open_frames(path, rate, strict=True).count()
            if count >= shortest:
                entries.append(ClipEntry(path.stem, path.name, 0, min(count, longest)))
    if not entries:
        raise FileNotFoundError(f"{root} holds no video or folder of frames that is {shortest} frames long")
    return entries


@DATASETS.register_module()
class ClipDataset(BaseDataset):
    """Clips of videos and folders of frames, frame by frame in order.

    An item has the frame as `img` and `gt`, (H, W, 3) uint8 RGB, and `clip`, `frame`, `num_frames`, `fps`. Frames are
    read one after another: use `ClipSampler`, and not many workers, each of which reads the whole video.

    Args:
        data_root: The folder with the videos.
        list_file: Which clips (`read_clip_list`). Default: all of the folder, from `shortest` to `longest` frames.
        size: What a frame is resized to (by area): (height, width), or the shorter edge, which keeps the aspect ratio;
            None: as it is.
        fps: Frames per second of folders of frames; of videos too, if given.
        shortest, longest: Without a list, as in `find_clips`.
        pipeline: Transforms of the items.

    Raises:
        FileNotFoundError, ValueError: As `read_clip_list` and `find_clips`; when read, if a video is shorter than the
            list says, a crop lies outside, or the frame rate varies.
    """

    METAINFO = dict(dataset_type="clips", task_name="colorization")

    @check_arguments
    def __init__(
        self,
        data_root: str,
        *,
        list_file: str | None = None,
        size: Size | None = None,
        fps: FrameRate | None = None,
        shortest: Whole = 50,
        longest: Whole = 200,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if shortest > longest:
            raise ValueError(f"shortest must not be above longest, got {shortest} and {longest}")
        self.list_file, self.fps, self.shortest, self.longest = list_file, fps, shortest, longest
        self.size = size
        self._reading: tuple[str, int, Iterator[Frame]] | None = None  # clip, next frame, what gives it
        super().__init__(data_root=data_root, pipeline=list(pipeline), serialize_data=False, **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per frame."""
        if self.list_file:
            entries = read_clip_list(self.list_file)
        else:
            entries = find_clips(self.data_root, shortest=self.shortest, longest=self.longest, rate=self.fps)
        self._entries = {entry.clip: entry for entry in entries}
        return [
            dict(
                clip=entry.clip,
                frame=frame,
                num_frames=entry.num_frames,
                fps=fps,
                img_path=path,
                gt_path=frame_name(entry.clip, frame),
            )
            for entry in entries
            for path, fps in [self._about(entry)]
            for frame in range(entry.num_frames)
        ]

    def _about(self, entry: ClipEntry) -> tuple[str, float]:
        source = self._open(entry)
        height, width = source.size
        if (
            entry.x + entry.width > width
            or entry.y + entry.height > height
            or (entry.width == 0) != (entry.height == 0)
        ):
            raise ValueError(
                f"clip {entry.clip!r}: the crop {entry} does not fit {source.name}, {width}x{height} pixels"
            )
        return source.name, float(source.rate)

    def _open(self, entry: ClipEntry) -> FrameSource:
        return open_frames(Path(self.data_root) / entry.path, self.fps, strict=True)

    def get_data_info(self, idx: int) -> dict:
        """The item before the pipeline."""
        info = super().get_data_info(idx)
        image = self._read(self._entries[info["clip"]], info["frame"])
        return dict(info, img=image, gt=image.copy(), img_channel_order="rgb", gt_channel_order="rgb")

    def _read(self, entry: ClipEntry, frame: int) -> np.ndarray:
        if self._reading is None or self._reading[0] != entry.clip or self._reading[1] > frame:
            source = self._open(entry)
            frames = check_steady(iter(source), source.rate, source.name)
            self._reading = (entry.clip, 0, islice(frames, entry.start, None))
        _, following, frames = self._reading
        found = next(islice(frames, frame - following, None), None)
        if found is None:
            raise ValueError(f"clip {entry.clip!r}: {entry.path} ends before its frame {entry.start + frame}")
        self._reading = (entry.clip, frame + 1, frames)
        return self._prepared(found.image, entry)

    def _checked(self, image: np.ndarray, entry: ClipEntry) -> np.ndarray:
        """A frame as its file holds it, in the numbers that the dataset gives."""
        if image.dtype == np.float32:
            raise ValueError(f"clip {entry.clip!r}: {entry.path} holds radiance; display values are needed")
        return np.round(image / 257).astype(np.uint8) if image.dtype == np.uint16 else image

    def _prepared(self, image: np.ndarray, entry: ClipEntry) -> np.ndarray:
        """A frame of the file, checked, cropped and resized."""
        image = self._checked(image, entry)
        if entry.width:
            image = image[entry.y : entry.y + entry.height, entry.x : entry.x + entry.width]
        height, width = image.shape[:2]
        if self.size is None:
            size = height, width
        elif isinstance(self.size, int):
            size = round(height * self.size / min(height, width)), round(width * self.size / min(height, width))
        else:
            size = self.size
        return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)  # its result lies in one piece

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_reading": None}  # a worker opens its own
