"""Folders of photographs to train on, that are both input and truth."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
from annotated_types import Interval
from mmagic.registry import DATASETS
from mmengine.dataset import BaseDataset

from ..utils.validation import check_arguments
from ..video.image_files import read_image
from .array_cache import cached_array
from .crops import check_crops

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")

SPLITS = {"train": 0, "val": 1, "test": 2}
"""Numbers in CelebA's partition file."""


@DATASETS.register_module()
class PhotographDataset(BaseDataset):
    """The photographs of a folder and its subfolders, in the order of their paths: CelebA, Places, or any.

    An item has the photograph as `img` and `gt`, (H, W, 3) uint8 RGB: a task model takes from either what it needs.

    Args:
        data_root: The folder.
        partition_file: CelebA's `list_eval_partition.txt`: a line for each photograph, its name and 0, 1 or 2.
        split: 'train', 'val' or 'test' of the partition file.
        list_file: Text file with a path in the folder on each line; only these are taken. Not with `partition_file`.
        drop_least_saturated: Share of photographs to leave out, those with the least colour (`colourfulness`; the paper
            leaves out about 0.05 of Places). All are read for it once; the result is kept in `cache_dir`.
        cache_dir: Folder for that. Default: `data_root`.
        indices: The first so many, or which, of those that are left, as in MMEngine.
        pipeline: Transforms of the items.

    Raises:
        FileNotFoundError: If the folder, a file or a photograph is not there.
        ValueError: If options do not go together, a line cannot be understood, or nothing is left.
    """

    METAINFO = dict(dataset_type="photographs", task_name="colorization")

    @check_arguments
    def __init__(
        self,
        data_root: str,
        *,
        partition_file: str | None = None,
        split: str | None = None,
        list_file: str | None = None,
        drop_least_saturated: Annotated[float, Interval(ge=0, lt=1)] = 0.0,
        cache_dir: str | None = None,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        if (partition_file is None) != (split is None):
            raise ValueError("`partition_file` and `split` go together: give both, or neither")
        if split is not None and split not in SPLITS:
            raise ValueError(f"split must be one of {tuple(SPLITS)}, got {split!r}")
        if partition_file and list_file:
            raise ValueError("give `partition_file` or `list_file`, not both")
        self.partition_file, self.split, self.list_file = partition_file, split, list_file
        self.drop_least_saturated, self.cache_dir = drop_least_saturated, cache_dir
        super().__init__(data_root=data_root, pipeline=list(pipeline), **kwargs)

    def load_data_list(self) -> list[dict]:
        """One entry per photograph."""
        root = Path(self.data_root)
        if not root.is_dir():
            raise FileNotFoundError(f"{root}: no such folder of photographs")
        paths = self._listed(root)
        if not paths:
            raise ValueError(f"{root} holds no photograph ({', '.join(SUFFIXES)}) that is asked for")
        if self.drop_least_saturated > 0:
            paths = self._without_grey(root, paths)
        return [dict(img_path=str(path), sample_idx=i) for i, path in enumerate(paths)]

    @property
    def paths(self) -> list[str]:
        """Paths of the photographs, in order."""
        return [super(PhotographDataset, self).get_data_info(i)["img_path"] for i in range(len(self))]

    def _listed(self, root: Path) -> list[Path]:
        if self.partition_file:
            number = str(SPLITS[str(self.split)])
            return [root / name for name, part in _lines(self.partition_file, 2) if part == number]
        if self.list_file:
            return [root / name for (name,) in _lines(self.list_file, 1)]
        return sorted(path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES)

    def _without_grey(self, root: Path, paths: list[Path]) -> list[Path]:
        names = "\n".join(path.relative_to(root).as_posix() for path in paths)
        cache = (
            Path(self.cache_dir or root) / f"colourfulness_{hashlib.sha256(os.fsencode(names)).hexdigest()[:12]}.npy"
        )
        colour = np.asarray(cached_array(cache, shape=(len(paths), 1), dtype="float32", rows=_colourfulness_of(paths)))[
            :, 0
        ]
        dropped = set(np.argsort(colour, kind="stable")[: round(self.drop_least_saturated * len(paths))].tolist())
        return [path for i, path in enumerate(paths) if i not in dropped]

    def get_data_info(self, idx: int) -> dict:
        """The item before the pipeline."""
        info = super().get_data_info(idx)
        image = _read_8_bits(info["img_path"])
        check_crops(self.pipeline, image.shape[:2], info["img_path"])
        # two arrays: transforms may work in place
        return dict(info, img=image, gt=image.copy(), img_channel_order="rgb", gt_channel_order="rgb")


def _lines(path: str, fields: int) -> Iterator[list[str]]:
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no list {path}")
    for number, line in enumerate(Path(path).read_text("utf-8", "surrogateescape").splitlines(), start=1):
        parts = line.rsplit(maxsplit=fields - 1) if fields > 1 else [line.strip()]
        if not line.strip():
            continue
        if len(parts) != fields:
            raise ValueError(f"{path}, line {number}: expected {fields} fields, got {line!r}")
        yield parts


def _read_8_bits(path: str | Path) -> np.ndarray:
    image = read_image(path)
    if image.dtype == np.float32:
        raise ValueError(f"{path} holds radiance; photographs have 8 or 16 bits")
    return image if image.dtype == np.uint8 else np.round(image / 257).astype(np.uint8)


def colourfulness(image: np.ndarray) -> float:
    """Mean distance from grey in CIE Lab, sqrt(a^2 + b^2), of (H, W, 3) uint8 RGB. 0: grey."""
    small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())


def _colourfulness_of(paths: Sequence[Path]) -> Iterator[np.ndarray]:
    with ThreadPoolExecutor() as pool:  # reading lets go of the interpreter
        for value in pool.map(lambda path: colourfulness(_read_8_bits(path)), paths):
            yield np.array([value], np.float32)
